/**
 * One client with one session that must never expire: it pipelines writes, goes to another server
 * now and then and whenever its own is gone, and keeps in its ledger what it was told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode, Reader } from 'zabra/protocol';
import type { SeededRandom } from '../conformance/differential/random.js';
import type { Address } from '../support/four-letter.js';
import type { Reply } from '../support/raw-client.js';
import { body, flags, part, readStat } from '../support/requests.js';
import { Ledger, type Entry, type Fate } from './ledger.js';
import { Session } from './session.js';

const CREATES = 6;
const DELETES = 12;
const PAUSE_MS = 25;
const RETRY_MS = 20;
const LEAVE_CHANCE = 0.05;
const noNode = -101;
const badVersion = -103;
const nodeExists = -110;

/** What all writers compare and set: who is told of success, has a version to himself. */
export class Contended {
  readonly path = '/contended';
  readonly versions = new Set<number>();
}

export interface WriterWorld {
  readonly servers: readonly Address[];
  readonly random: SeededRandom;
  readonly contended: Contended;
  readonly problems: string[];
  readonly sessionTimeoutMs: number;
  /** How often it goes elsewhere of its own accord, of its batches; one in twenty unless told. */
  readonly leaveChance?: number;
  /** Called for each write that was acknowledged, with its zxid. */
  acknowledged?(zxid: bigint, what: string): void;
}

export class Writer {
  readonly ledger: Ledger;
  session: Session;
  readonly #world: WriterWorld;
  #at: number;
  #isRunning = false;
  #ephemeral: string | null = null;
  /** Connections that ended although it had not left them. */
  losses = 0;

  constructor(index: number, seed: number, world: WriterWorld) {
    this.#world = world;
    this.#at = index % world.servers.length;
    this.ledger = new Ledger(`w${index}`, seed);
    this.session = new Session(world.sessionTimeoutMs, world.problems);
  }

  /** Its own, which must be there as long as the session is. */
  get ephemeral(): string | null {
    return this.#ephemeral;
  }

  /** The znodes that it works on; the servers serve. */
  async prepare(): Promise<void> {
    await this.#connect();
    const { directory, register } = this.ledger;
    for (const path of ['/ephemerals', this.#world.contended.path, directory, register]) {
      const reply = await this.session.ask(OpCode.create, body.create(path, { data: '0' }));
      if (reply === null || (reply.err !== 0 && reply.err !== nodeExists)) {
        throw new Error(`cannot create ${path}: ${reply?.err ?? 'no answer'}`);
      }
    }
    const path = `/ephemerals/writer-${this.session.name}`;
    const options = { data: directory, flags: flags.ephemeral };
    const reply = await this.session.ask(OpCode.create, body.create(path, options));
    if (reply?.err !== 0) throw new Error(`cannot create ${path}: ${reply?.err ?? 'no answer'}`);
    this.#ephemeral = path;
  }

  /** Writes until `stop`. */
  async run(): Promise<void> {
    this.#isRunning = true;
    const { random, leaveChance = LEAVE_CHANCE } = this.#world;
    let isAway = false;
    while (this.#isRunning) {
      if (random.chance(leaveChance)) {
        this.session.drop();
        isAway = true;
      }
      if (!this.session.isConnected) {
        if (!isAway) this.losses++;
        isAway = true;
        if (!(await this.#reconnect())) continue;
      }
      isAway = false;
      await this.#batch();
      await sleep(random.below(2 * PAUSE_MS));
    }
  }

  stop(): void {
    this.#isRunning = false;
  }

  async #connect(): Promise<void> {
    const { servers } = this.#world;
    const address = servers[this.#at];
    if (address === undefined || (await this.session.connect(address)) !== 'connected') {
      throw new Error(`no session over ${address?.port ?? 0}`);
    }
  }

  async #reconnect(): Promise<boolean> {
    const { servers, random, problems } = this.#world;
    this.#at = random.below(servers.length);
    const address = servers[this.#at];
    if (address === undefined) return false;
    switch (await this.session.connect(address)) {
      case 'refused':
        await sleep(RETRY_MS);
        return false;
      case 'expired':
        problems.push(`session ${this.session.name} of ${this.ledger.directory} has expired`);
        this.session = new Session(this.session.timeoutMs, problems);
        this.#ephemeral = null;
        return false;
      case 'connected':
    }
    await this.#readOwnWrite();
    return true;
  }

  /** Over a new connection, a session sees what it was told before. */
  async #readOwnWrite(): Promise<void> {
    const { register, doneNumber } = this.ledger;
    const reply = await this.session.ask(OpCode.getData, body.pathAndWatch(register, false));
    if (reply?.err !== 0) return;
    const data = new Reader().reset(reply.body, 0, reply.body.length).readBuffer();
    const number = Number(new TextDecoder().decode(data ?? undefined));
    if (number < doneNumber) {
      this.#world.problems.push(
        `${register} reads ${number} after a reconnect, ${doneNumber} was acknowledged`,
      );
    }
  }

  async #batch(): Promise<void> {
    const { ledger } = this;
    const asked: Promise<void>[] = [this.#compareAndSet()];
    for (let i = 0; i < CREATES; i++) asked.push(this.#create(ledger.begin((n) => `n${n}`)));
    asked.push(this.#createSequential(), this.#setRegister(), this.#failingMulti());
    asked.push(this.#multi());
    for (const entry of ledger.takeDeletable(DELETES)) asked.push(this.#delete(entry));
    await Promise.all(asked);
  }

  #fateOf(reply: Reply | null, what: string): Fate {
    if (reply === null) return 'unknown';
    if (reply.err === 0) {
      this.ledger.doneCount++;
      this.#world.acknowledged?.(reply.zxid, `${what} of ${this.ledger.directory}`);
      return 'done';
    }
    this.#world.problems.push(`${what} was answered with ${reply.err}`);
    return 'refused';
  }

  async #create(entry: Entry): Promise<void> {
    const { path, payload } = entry;
    const reply = await this.session.ask(OpCode.create, body.create(path, { data: payload }));
    entry.created = this.#fateOf(reply, `create ${path ?? ''}`);
  }

  async #createSequential(): Promise<void> {
    const entry = this.ledger.begin(null);
    const options = { data: entry.payload, flags: flags.persistentSequential };
    const path = `${this.ledger.directory}/q-`;
    const reply = await this.session.ask(OpCode.create, body.create(path, options));
    entry.created = this.#fateOf(reply, `create ${path}`);
    if (reply?.err !== 0) return;
    entry.path = new Reader().reset(reply.body, 0, reply.body.length).readString();
  }

  async #delete(entry: Entry): Promise<void> {
    entry.deleted = 'unknown';
    const path = entry.path ?? '';
    const reply = await this.session.ask(OpCode.delete, body.pathAndInt(path, -1));
    entry.deleted = this.#fateOf(reply, `delete ${path}`);
    // then it must be gone; the answer is a problem, and has been noted
    if (reply?.err === noNode) entry.deleted = 'done';
  }

  async #setRegister(): Promise<void> {
    const { ledger } = this;
    const number = ++ledger.sentNumber;
    const what = body.setData(ledger.register, String(number), -1);
    const reply = await this.session.ask(OpCode.setData, what);
    if (this.#fateOf(reply, `setData ${ledger.register}`) === 'done') {
      ledger.doneNumber = Math.max(ledger.doneNumber, number);
    }
  }

  /** Both or none. */
  async #multi(): Promise<void> {
    const entries = [this.ledger.begin((n) => `m${n}`), this.ledger.begin((n) => `m${n}`)];
    const parts = entries.map(({ path, payload }) => part.create(path ?? '', { data: payload }));
    const reply = await this.session.ask(OpCode.multi, body.multi(parts));
    const fate = this.#fateOf(reply, 'a multi of two creates');
    for (const entry of entries) entry.created = fate;
  }

  /** Nothing of it may ever be seen. */
  async #failingMulti(): Promise<void> {
    const entry = this.ledger.begin((n) => `never${n}`);
    const reply = await this.session.ask(
      OpCode.multi,
      body.multi([
        part.create(entry.path ?? '', { data: entry.payload }),
        part.check(this.ledger.directory, 1_000_000),
      ]),
    );
    // whatever the answer, and also without one
    entry.created = 'refused';
    if (reply !== null && reply.err !== 0 && reply.err !== badVersion) {
      this.#world.problems.push(`a multi whose check fails was answered with ${reply.err}`);
    }
  }

  async #compareAndSet(): Promise<void> {
    const { contended, problems } = this.#world;
    const read = await this.session.ask(OpCode.getData, body.pathAndWatch(contended.path, false));
    if (read?.err !== 0) return;
    const reader = new Reader().reset(read.body, 0, read.body.length);
    reader.readBuffer();
    const { version } = readStat(reader);
    const what = body.setData(contended.path, this.ledger.directory, version);
    const reply = await this.session.ask(OpCode.setData, what);
    if (reply === null || reply.err === badVersion) return;
    if (this.#fateOf(reply, `setData ${contended.path}`) !== 'done') return;
    const made = readStat(new Reader().reset(reply.body, 0, reply.body.length)).version;
    if (made !== version + 1) problems.push(`version ${version} was set, and became ${made}`);
    if (contended.versions.has(made)) problems.push(`version ${made} was made twice`);
    contended.versions.add(made);
  }
}
