/**
 * The PROXY protocol: what a proxy sends before anything else, so that the server behind it knows the
 * client's address and not only the proxy's. Version 1 is a line of text, version 2 is bytes; both are
 * read, either can be written.
 *
 * No packet of ZooKeeper's begins as a header does: read as a frame's length the first four bytes would
 * be hundreds of megabytes, and no four-letter word has capitals. So a connection without one is told
 * from one with it by its first bytes. Whom to believe is not a matter of bytes: who listens decides by
 * the sender's address.
 */
import { formatAddress, parseAddress } from './ip-address.js';

export interface ProxiedConnection {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

export type ProxyHeaderReading =
  /** So far it may become one. */
  | { readonly kind: 'incomplete' }
  /** It is something else. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed'; readonly reason: string }
  | {
      readonly kind: 'header';
      readonly bytesLength: number;
      /** Null: the proxy speaks for itself, or for somebody whose address is none of IP. */
      readonly connection: ProxiedConnection | null;
    };

export type ProxyProtocolVersion = 1 | 2;

const INCOMPLETE: ProxyHeaderReading = { kind: 'incomplete' };
const ABSENT: ProxyHeaderReading = { kind: 'absent' };

const LINE_START = Uint8Array.from('PROXY ', (c) => c.charCodeAt(0));
/** Of version 1, its end included. */
const LINE_BYTES_MAX = 107;
const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);
const FIXED_BYTES = 16;
const COMMAND_LOCAL = 0x20;
const COMMAND_PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const TCP4_BYTES = 12;
const TCP6_BYTES = 36;
/** Addresses and what vendors add to them; headers in the wild have some hundred bytes. */
const VERSION_2_BYTES_MAX = 4096;

/** The first bytes of a connection, bytes[start, end), as far as they have come. */
export function readProxyHeader(bytes: Uint8Array, start: number, end: number): ProxyHeaderReading {
  if (start === end) return INCOMPLETE;
  if (beginsAs(LINE_START, bytes, start, end)) return readLine(bytes, start, end);
  if (beginsAs(SIGNATURE, bytes, start, end)) return readVersion2(bytes, start, end);
  return ABSENT;
}

/** As far as there are bytes of both. */
function beginsAs(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = Math.min(wanted.length, end - start);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

function malformed(reason: string): ProxyHeaderReading {
  return { kind: 'malformed', reason };
}

function readLine(bytes: Uint8Array, start: number, end: number): ProxyHeaderReading {
  const last = Math.min(end, start + LINE_BYTES_MAX);
  let line = '';
  for (let at = start; at < last; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 10 && line.endsWith('\r')) {
      return parseLine(line.slice(0, -1), at + 1 - start);
    }
    line += String.fromCharCode(byte);
  }
  return end - start < LINE_BYTES_MAX
    ? INCOMPLETE
    : malformed(`a line of version 1 does not end within ${LINE_BYTES_MAX} bytes`);
}

function parseLine(line: string, bytesLength: number): ProxyHeaderReading {
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] =
    line.split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', bytesLength, connection: null };
  if (family !== 'TCP4' && family !== 'TCP6') return malformed('neither TCP4 nor TCP6 nor UNKNOWN');
  const length = family === 'TCP4' ? 4 : 16;
  const from = parseAddress(source);
  const to = parseAddress(destination);
  if (from?.length !== length || to?.length !== length)
    return malformed(`no addresses of ${family}`);
  const ports = [sourcePort, destinationPort];
  if (more.length > 0 || !ports.every(isPort))
    return malformed('no two ports behind the addresses');
  const connection = {
    sourceAddress: formatAddress(from),
    sourcePort: Number(sourcePort),
    destinationAddress: formatAddress(to),
    destinationPort: Number(destinationPort),
  };
  return { kind: 'header', bytesLength, connection };
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function readVersion2(bytes: Uint8Array, start: number, end: number): ProxyHeaderReading {
  if (end - start < FIXED_BYTES) return INCOMPLETE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const command = view.getUint8(start + 12);
  const family = view.getUint8(start + 13);
  const length = view.getUint16(start + 14);
  const bytesLength = FIXED_BYTES + length;
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) {
    return malformed(`no version and command 0x${command.toString(16)} in version 2`);
  }
  if (bytesLength > VERSION_2_BYTES_MAX) return malformed(`a header of ${bytesLength} bytes`);
  if (end - start < bytesLength) return INCOMPLETE;
  const wanted = family === TCP4 ? TCP4_BYTES : family === TCP6 ? TCP6_BYTES : 0;
  if (length < wanted) return malformed('shorter than its addresses');
  if (command === COMMAND_LOCAL || wanted === 0) {
    return { kind: 'header', bytesLength, connection: null };
  }
  const at = start + FIXED_BYTES;
  const size = family === TCP4 ? 4 : 16;
  const connection = {
    sourceAddress: formatAddress(bytes.subarray(at, at + size)),
    destinationAddress: formatAddress(bytes.subarray(at + size, at + 2 * size)),
    sourcePort: view.getUint16(at + 2 * size),
    destinationPort: view.getUint16(at + 2 * size + 2),
  };
  return { kind: 'header', bytesLength, connection };
}

/** Null: the sender speaks for itself. Addresses that are none of IP are said to be unknown. */
export function encodeProxyHeader(
  version: ProxyProtocolVersion,
  connection: ProxiedConnection | null,
): Uint8Array {
  const pair = connection === null ? null : addressPair(connection);
  return version === 1 ? encodeLine(connection, pair) : encodeVersion2(connection, pair);
}

interface AddressPair {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** Both of one family. */
function addressPair(connection: ProxiedConnection): AddressPair | null {
  const source = parseAddress(connection.sourceAddress);
  const destination = parseAddress(connection.destinationAddress);
  if (source === null || destination === null) return null;
  if (source.length === destination.length) return { source, destination };
  return { source: mapped(source), destination: mapped(destination) };
}

function mapped(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const wide = new Uint8Array(16);
  wide.fill(0xff, 10, 12);
  wide.set(address, 12);
  return wide;
}

function encodeLine(connection: ProxiedConnection | null, pair: AddressPair | null): Uint8Array {
  let line = 'PROXY UNKNOWN\r\n';
  if (connection !== null && pair !== null) {
    const family = pair.source.length === 4 ? 'TCP4' : 'TCP6';
    const text = (address: Uint8Array): string => {
      const plain = formatAddress(address);
      if (address.length === 4 || plain.includes(':')) return plain;
      // mapped, in groups: not every reader takes the dots
      const [a = 0, b = 0, c = 0, d = 0] = address.subarray(12);
      return `::ffff:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    };
    const { sourcePort, destinationPort } = connection;
    const addresses = `${text(pair.source)} ${text(pair.destination)}`;
    line = `PROXY ${family} ${addresses} ${sourcePort} ${destinationPort}\r\n`;
  }
  return Uint8Array.from(line, (c) => c.charCodeAt(0));
}

function encodeVersion2(
  connection: ProxiedConnection | null,
  pair: AddressPair | null,
): Uint8Array {
  const size = pair === null ? 0 : pair.source.length;
  const length = pair === null ? 0 : 2 * size + 4;
  const bytes = new Uint8Array(FIXED_BYTES + length);
  const view = new DataView(bytes.buffer);
  bytes.set(SIGNATURE, 0);
  bytes[12] = connection === null ? COMMAND_LOCAL : COMMAND_PROXY;
  view.setUint16(14, length);
  if (connection === null || pair === null) return bytes;
  bytes[13] = size === 4 ? TCP4 : TCP6;
  bytes.set(pair.source, FIXED_BYTES);
  bytes.set(pair.destination, FIXED_BYTES + size);
  view.setUint16(FIXED_BYTES + 2 * size, connection.sourcePort);
  view.setUint16(FIXED_BYTES + 2 * size + 2, connection.destinationPort);
  return bytes;
}
