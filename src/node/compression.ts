/**
 * Gzip by Node's zlib, in the pool; raw snappy blocks by snappyjs, loaded when the first one is met,
 * because almost nobody compresses snapshots and a server should start without reading what it does
 * not use.
 */
import { createRequire } from 'node:module';
import { createGunzip, gzip } from 'node:zlib';
import type { Compression, Gunzip } from '../ports/disk.js';

interface Snappy {
  compress(bytes: Uint8Array): Uint8Array;
  uncompress(bytes: Uint8Array, lengthMax: number): Uint8Array;
}

let snappy: Snappy | null = null;

function loadSnappy(): Snappy {
  snappy ??= createRequire(import.meta.url)('snappyjs') as Snappy;
  return snappy;
}

/** A zlib stream as a function: what a write produced has been emitted when its callback comes. */
class NodeGunzip implements Gunzip {
  readonly #stream = createGunzip();
  #pieces: Uint8Array[] = [];
  #failure: Error | null = null;
  #fail: ((error: Error) => void) | null = null;

  constructor() {
    this.#stream.on('data', (piece: Uint8Array) => {
      this.#pieces.push(piece);
    });
    this.#stream.on('error', (error) => {
      this.#failure = error;
      this.#fail?.(error);
    });
  }

  push(bytes: Uint8Array): Promise<Uint8Array[]> {
    return this.#settle((done) => this.#stream.write(bytes, done));
  }

  end(): Promise<Uint8Array[]> {
    return this.#settle((done) => {
      this.#stream.once('end', done);
      this.#stream.end();
    });
  }

  async #settle(act: (done: () => void) => void): Promise<Uint8Array[]> {
    await new Promise<void>((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      this.#fail = reject;
      act(resolve);
    });
    this.#fail = null;
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }
}

export const nodeCompression: Compression = {
  gzip(bytes) {
    return new Promise((resolve, reject) => {
      gzip(bytes, (error, packed) => {
        if (error) reject(error);
        else resolve(packed);
      });
    });
  },
  gunzip() {
    return new NodeGunzip();
  },
  snappyBlock(bytes) {
    return loadSnappy().compress(bytes);
  },
  unsnappyBlock(bytes, lengthMax) {
    return loadSnappy().uncompress(bytes, lengthMax);
  },
};
