/**
 * The bounds that the protocol itself sets, each with its reason. What an operator can configure has
 * its default here when the default is part of what clients expect.
 */

/** Every packet is preceded by its length. */
export const frameLengthBytes = 4;

/** jute.maxbuffer of servers and clients alike; a longer frame closes the connection. */
export const frameBytesDefault = 0xfffff;

/** The first four bytes of a connection: a length prefix, or a four-letter word in ASCII. */
export const fourLetterWordBytes = 4;

/** A connect request without its length and without the optional readOnly byte (before 3.4). */
export const connectRequestBytesMin = 44;

export const passwordBytes = 16;

/** Sequential names end in this many digits, zero padded, of a signed 32-bit counter. */
export const sequenceDigits = 10;

/** A TTL shares the ephemeralOwner field with a mark in its upper 24 bits. */
export const ttlMaxMs = 0xff_ffff_ffff;

/** What clients put into one setWatches packet before they begin another. */
export const setWatchesBytes = 128 * 1024;

/** A frame that arrives in pieces starts with a buffer of at most this size and grows from there. */
export const partialFrameBytesInitial = 4096;

/** The stat as clients see it, and as it is stored. */
export const statBytes = 68;
export const statPersistedBytes = 60;

/** Before a transaction's payload in the log: Adler-32 as a long, then the length as an int. */
export const txnRecordPrefixBytes = 12;

/** Ends a record in the log; a missing one is a torn write. */
export const txnRecordEnd = 0x42;

/** TxnHeader on disk; the zxid lies at txnHeaderZxidOffset in it. */
export const txnHeaderBytes = 32;
export const txnHeaderZxidOffset = 12;
