/**
 * The first message on an election connection, from the server that opened it: who it is, and where
 * it can be called back, since the server with the larger number must be the one that called. Three
 * forms are read: the bare number of old releases, one address (V1), and several (V2), which is
 * written only where the operator says that every server understands it.
 */
import { decodeUtf8 } from '../utf8.js';
import { Reader } from '../reader.js';
import type { Writer } from '../writer.js';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface Hello {
  readonly sid: bigint;
  /** Where the sender listens; empty when it did not say or knows only "every address". */
  readonly addresses: readonly HostAndPort[];
}

/** The sid of an observer that has no number of its own (before 3.5). */
export const namelessObserver = 0x7fff_ffff_ffff_ffffn;

export const helloAddressBytesMax = 2048;

const versionOne = -65536n;
const versionTwo = -65535n;

/** Version, sid and the length of the addresses; the oldest form is its first long alone. */
const headBytes = 20;
const oldestBytes = 8;

/** V2 when `isMulti`, with all addresses; else V1 with the first. There is at least one. */
export function writeHello(
  out: Writer,
  sid: bigint | number,
  addresses: readonly HostAndPort[],
  isMulti: boolean,
): void {
  out.writeLong(isMulti ? versionTwo : versionOne);
  out.writeLong(BigInt(sid));
  const told = isMulti ? addresses : addresses.slice(0, 1);
  out.writeString(told.map(formatAddress).join('|'));
}

function formatAddress({ host, port }: HostAndPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Takes a hello apart however it was cut. Keeps at most `headBytes + helloAddressBytesMax` bytes. */
export class HelloDecoder {
  #bytes = new Uint8Array(headBytes);
  #have = 0;
  #needed = oldestBytes;
  #consumed = 0;

  /** Where in the last chunk the hello ended: what follows are frames. */
  get consumed(): number {
    return this.#consumed;
  }

  /** To be called until it says something else than 'more', and not after. */
  push(bytes: Uint8Array, start: number, end: number): Hello | 'malformed' | 'more' {
    let pos = start;
    for (;;) {
      while (this.#have < this.#needed && pos < end) this.#bytes[this.#have++] = bytes[pos++]!;
      this.#consumed = pos;
      if (this.#have < this.#needed) return 'more';
      const hello = this.#read();
      if (hello !== 'more') return hello;
    }
  }

  /** Looks at the `#needed` bytes that are there; 'more': it needs more than that. */
  #read(): Hello | 'malformed' | 'more' {
    const reader = new Reader(this.#bytes, 0, this.#have);
    const version = reader.readLong();
    if (version >= 0n) return { sid: version, addresses: [] };
    if (version !== versionOne && version !== versionTwo) return 'malformed';
    if (this.#have < headBytes) {
      this.#needed = headBytes;
      return 'more';
    }
    const sid = reader.readLong();
    const addressBytes = reader.readInt();
    if (addressBytes <= 0 || addressBytes > helloAddressBytesMax) return 'malformed';
    if (this.#have === headBytes) {
      const grown = new Uint8Array(headBytes + addressBytes);
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#needed = grown.length;
      return 'more';
    }
    const addresses = parseAddresses(decodeUtf8(this.#bytes, headBytes, this.#have));
    return addresses === null ? 'malformed' : { sid, addresses };
  }
}

/** `host:port|[::1]:port`; null: one of them is none. Those that mean "every address" are left out. */
function parseAddresses(text: string): HostAndPort[] | null {
  const addresses: HostAndPort[] = [];
  for (const one of text.replace(/\|+$/, '').split('|')) {
    const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(one);
    if (parts === null) return null;
    const [, bracketed, plain, portText] = parts;
    const host = bracketed ?? plain ?? '';
    const port = Number(portText);
    if (port > 65535) return null;
    if (!isEveryAddress(host)) addresses.push({ host, port });
  }
  return addresses;
}

function isEveryAddress(host: string): boolean {
  return /^(?:0|0\.0\.0\.0|[0:]*::[0:]*|0+(?::0+){7})$/.test(host);
}
