/**
 * The bytes of a simulated file. Logs are preallocated 64 MiB at a time with one byte at the end, so
 * a file is a map of the pages that were ever written; all the rest reads as zeros, as it would from
 * a real file system. Copies share pages until one of them is written.
 */
export const pageBytes = 4096;

export class Sparse {
  #pages = new Map<number, Uint8Array>();
  /** Pages of another Sparse too: copied before the first write. */
  #shared = new Set<number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  clone(): Sparse {
    const copy = new Sparse();
    copy.#size = this.#size;
    copy.#pages = new Map(this.#pages);
    for (const page of this.#pages.keys()) {
      this.#shared.add(page);
      copy.#shared.add(page);
    }
    return copy;
  }

  read(into: Uint8Array, start: number, end: number, position: number): number {
    const count = Math.max(0, Math.min(end - start, this.#size - position));
    for (let done = 0; done < count;) {
      const at = position + done;
      const inPage = at % pageBytes;
      const length = Math.min(count - done, pageBytes - inPage);
      const page = this.#pages.get(Math.floor(at / pageBytes));
      if (page) into.set(page.subarray(inPage, inPage + length), start + done);
      else into.fill(0, start + done, start + done + length);
      done += length;
    }
    return count;
  }

  write(bytes: Uint8Array, start: number, end: number, position: number): void {
    for (let done = 0; done < end - start;) {
      const at = position + done;
      const inPage = at % pageBytes;
      const length = Math.min(end - start - done, pageBytes - inPage);
      const page = this.#writable(Math.floor(at / pageBytes));
      page.set(bytes.subarray(start + done, start + done + length), inPage);
      done += length;
    }
    this.#size = Math.max(this.#size, position + (end - start));
  }

  /** Cuts or grows. What is cut off reads as zeros if the file grows again. */
  resize(size: number): void {
    if (size < this.#size) {
      const last = Math.floor(size / pageBytes);
      for (const page of [...this.#pages.keys()]) if (page > last) this.#pages.delete(page);
      if (this.#pages.has(last)) this.#writable(last).fill(0, size % pageBytes);
    }
    this.#size = size;
  }

  /** Indices of the units of `unitBytes`, at least partly in [start, end), that may not be all zeros. */
  written(start: number, end: number, unitBytes: number): number[] {
    const units = new Set<number>();
    for (const page of this.#pages.keys()) {
      const from = Math.max(start, page * pageBytes);
      const to = Math.min(end, (page + 1) * pageBytes);
      for (let at = from; at < to; at = (Math.floor(at / unitBytes) + 1) * unitBytes) {
        units.add(Math.floor(at / unitBytes));
      }
    }
    return [...units];
  }

  /** All of it; for tests, on small files. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.#size);
    this.read(all, 0, this.#size, 0);
    return all;
  }

  #writable(index: number): Uint8Array {
    let page = this.#pages.get(index);
    if (!page) {
      page = new Uint8Array(pageBytes);
      this.#pages.set(index, page);
    } else if (this.#shared.has(index)) {
      page = page.slice();
      this.#pages.set(index, page);
    }
    this.#shared.delete(index);
    return page;
  }
}
