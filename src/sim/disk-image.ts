/**
 * What a simulated disk holds, twice: as the running process sees it, and as it would be found after
 * the power failed now. Between the two lies a list of changes per file and per directory that have
 * happened and are not durable yet. A sync moves the changes that were there when it *began* into the
 * durable image; a crash keeps any legal selection of the rest (crash-states.ts says which are legal).
 *
 * Names and content are separate, as on a real file system: a directory maps names to inodes, a file
 * that was synced but whose name was not is lost, a renamed file keeps its content whatever becomes
 * of the rename.
 */
import { assert, present } from '../base/assert.js';
import { Sparse } from './sparse.js';

export type FileChange =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly size: number };

export type NameChange =
  | { readonly kind: 'link'; readonly name: string; readonly inode: number }
  | { readonly kind: 'unlink'; readonly name: string }
  | {
      readonly kind: 'rename';
      readonly from: string;
      readonly to: string;
      readonly inode: number;
    };

export function applyFileChange(content: Sparse, change: FileChange): void {
  if (change.kind === 'write') {
    content.write(change.bytes, 0, change.bytes.length, change.position);
  } else {
    content.resize(change.size);
  }
}

export function applyNameChange(names: Map<string, number>, change: NameChange): void {
  switch (change.kind) {
    case 'link':
      names.set(change.name, change.inode);
      break;
    case 'unlink':
      names.delete(change.name);
      break;
    case 'rename':
      names.delete(change.from);
      names.set(change.to, change.inode);
      break;
  }
}

export class FileInode {
  readonly kind = 'file';
  now = new Sparse();
  durable = new Sparse();
  pending: FileChange[] = [];
  /** Changes that left `pending` so far: makes places in the list last. */
  gone = 0;

  /** The place after the newest change: what a sync that begins now covers. */
  get mark(): number {
    return this.gone + this.pending.length;
  }

  change(change: FileChange): void {
    applyFileChange(this.now, change);
    this.pending.push(change);
  }

  /** Makes the changes before `mark` durable. */
  settle(mark: number): void {
    for (const change of this.forget(mark)) applyFileChange(this.durable, change);
  }

  /** After a failed fsync: the pages count as clean, readable until the crash, never written. */
  forget(mark: number): FileChange[] {
    const changes = this.pending.splice(0, Math.max(0, mark - this.gone));
    this.gone += changes.length;
    return changes;
  }
}

export class DirectoryInode {
  readonly kind = 'directory';
  now = new Map<string, number>();
  durable = new Map<string, number>();
  pending: NameChange[] = [];
  gone = 0;

  get mark(): number {
    return this.gone + this.pending.length;
  }

  change(change: NameChange): void {
    applyNameChange(this.now, change);
    this.pending.push(change);
  }

  settle(mark: number): void {
    for (const change of this.forget(mark)) applyNameChange(this.durable, change);
  }

  forget(mark: number): NameChange[] {
    const changes = this.pending.splice(0, Math.max(0, mark - this.gone));
    this.gone += changes.length;
    return changes;
  }
}

export type Inode = FileInode | DirectoryInode;

export const rootInode = 1;

/** Everything that can happen to an image, by inode: also the form in which a run is recorded. */
export type ImageStep =
  | { readonly kind: 'file'; readonly inode: number }
  | { readonly kind: 'directory'; readonly inode: number }
  | { readonly kind: 'content'; readonly inode: number; readonly change: FileChange }
  | { readonly kind: 'name'; readonly inode: number; readonly change: NameChange }
  | { readonly kind: 'settle'; readonly inode: number; readonly mark: number }
  | { readonly kind: 'forget'; readonly inode: number; readonly mark: number };

export class DiskImage {
  readonly inodes = new Map<number, Inode>([[rootInode, new DirectoryInode()]]);
  #nextInode = rootInode + 1;

  get nextInode(): number {
    return this.#nextInode;
  }

  step(step: ImageStep): void {
    switch (step.kind) {
      case 'file':
      case 'directory':
        assert(!this.inodes.has(step.inode), 'inode numbers are used once');
        this.inodes.set(step.inode, step.kind === 'file' ? new FileInode() : new DirectoryInode());
        this.#nextInode = Math.max(this.#nextInode, step.inode + 1);
        break;
      case 'content':
        this.file(step.inode).change(step.change);
        break;
      case 'name':
        this.directory(step.inode).change(step.change);
        break;
      case 'settle':
        this.inode(step.inode).settle(step.mark);
        break;
      case 'forget':
        this.inode(step.inode).forget(step.mark);
        break;
    }
  }

  inode(number: number): Inode {
    return present(this.inodes.get(number), `inode ${number} exists`);
  }

  file(number: number): FileInode {
    const inode = this.inode(number);
    assert(inode.kind === 'file', `inode ${number} is a file`);
    return inode;
  }

  directory(number: number): DirectoryInode {
    const inode = this.inode(number);
    assert(inode.kind === 'directory', `inode ${number} is a directory`);
    return inode;
  }

  /** As the running process sees it; null when there is no such path. */
  lookup(path: string): { readonly number: number; readonly inode: Inode } | null {
    let number = rootInode;
    let inode: Inode = this.inode(number);
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (inode.kind !== 'directory') return null;
      const next = inode.now.get(name);
      if (next === undefined) return null;
      number = next;
      inode = this.inode(number);
    }
    return { number, inode };
  }

  clone(): DiskImage {
    const copy = new DiskImage();
    copy.#nextInode = this.#nextInode;
    for (const [number, inode] of this.inodes) {
      if (inode.kind === 'file') {
        const file = new FileInode();
        file.now = inode.now.clone();
        file.durable = inode.durable.clone();
        file.pending = [...inode.pending];
        file.gone = inode.gone;
        copy.inodes.set(number, file);
      } else {
        const directory = new DirectoryInode();
        directory.now = new Map(inode.now);
        directory.durable = new Map(inode.durable);
        directory.pending = [...inode.pending];
        directory.gone = inode.gone;
        copy.inodes.set(number, directory);
      }
    }
    return copy;
  }
}
