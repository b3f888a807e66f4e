/** The codec as a library: everything between bytes and meaning, nothing that does I/O. */
export * from './protocol/adler32.js';
export * from './protocol/crc32.js';
export * from './protocol/create-mode.js';
export * from './protocol/errors.js';
export * from './protocol/events.js';
export * from './protocol/frame.js';
export * from './protocol/limits.js';
export * from './protocol/opcodes.js';
export * from './protocol/paths.js';
export * from './protocol/perms.js';
export * from './protocol/reader.js';
export * from './protocol/records.js';
export * from './protocol/txn-batch.js';
export * from './protocol/utf8.js';
export * from './protocol/writer.js';
export * from './protocol/xid.js';
export * from './protocol/zxid.js';
