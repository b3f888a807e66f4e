/**
 * One simulated run: a seed in, a verdict out. First everything may go wrong (safety: whatever happens,
 * nothing false is said and nothing acknowledged is lost), then nothing does (liveness: every client
 * must be served and every session of those who left must end), then the judgement.
 */
import { SeededRandom } from '../base/random.js';
import type { LogFields } from '../ports/logger.js';
import { formatZxid, type Zxid } from '../protocol/zxid.js';
import type { Server } from '../server/server.js';
import { StartError } from '../storage/start-error.js';
import type { Tree } from '../tree/tree.js';
import { advance } from './advance.js';
import { checkHistory, type Recovery } from './checker.js';
import { Timeline } from './clock.js';
import { SimClient, type ClientWorld } from './client.js';
import { differenceOf, dumpTree } from './dump.js';
import { wrongFate } from './fate-check.js';
import { addressOf, Faults } from './faults.js';
import { History, type Violation } from './history.js';
import { LogWitness } from './log-witness.js';
import { SimNetwork } from './network.js';
import { drawParameters, goodLink, serverAddress, type Parameters } from './parameters.js';
import { Prober } from './prober.js';
import { recoverAlone, writePast, type RecoveredAlone } from './scratch.js';
import { ServerTap } from './server-tap.js';
import { SimServer, type Sabotage } from './sim-server.js';
import { Trace } from './trace.js';

export interface RunOptions {
  readonly seed: number;
  readonly sabotage?: Sabotage;
  /** What is run in place of what the seed has drawn. */
  readonly tune?: (drawn: Parameters) => Parameters;
  /** Gets every line of the trace. */
  readonly sink?: (line: string) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly hash: string;
  readonly simulatedMs: number;
  /** Moments of the timeline. */
  readonly events: number;
  readonly replies: number;
  readonly watchEvents: number;
  readonly txns: number;
  readonly starts: number;
  /** Four-letter words that were answered. */
  readonly probes: number;
  /** How often each fault struck. */
  readonly hits: ReadonlyMap<string, number>;
}

/** What servers keep beyond their limits is bounded too: a read's worth of requests per connection. */
const REQUESTS_PER_READ = 6000;
const GONE_CONNECTIONS = 10;
const BOUNDS_EVERY_MS = 100;
const BIT_FLIPS = 3;
/** Of the starts, those whose disk is recovered a second time. */
const RECOVERED_AGAIN = 0.3;
const OUTPUT_SLACK_BYTES = 8 * 1024 * 1024;
const WALL_MS = 1_800_000_000_000;

/** Runs a seed to its end, or to the first broken promise. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  return await new Run(options).run();
}

class Run {
  readonly #options: RunOptions;
  readonly #timeline = new Timeline();
  readonly #trace: Trace;
  readonly #random: SeededRandom;
  readonly #parameters: Parameters;
  readonly #network: SimNetwork;
  readonly #history = new History();
  readonly #witness: LogWitness;
  readonly #tap: ServerTap;
  readonly #server: SimServer;
  readonly #faults: Faults;
  readonly #clients: SimClient[];
  readonly #prober: Prober;
  readonly #recoveries: Recovery[] = [];
  readonly #announced = new Set<bigint>();
  /** To be done between two moments: what needs promises of its own. */
  readonly #errands: (() => Promise<void>)[] = [];
  #isCalm = false;
  #violation: Violation | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    const { seed } = options;
    this.#trace = new Trace(this.#timeline, options.sink ?? null);
    this.#random = new SeededRandom(seed);
    const drawn = drawParameters(seed, this.#fork());
    const parameters = options.tune?.(drawn) ?? drawn;
    this.#parameters = parameters;
    const fail = (invariant: string, message: string): void => {
      this.#fail(invariant, message);
    };
    this.#network = new SimNetwork(this.#timeline, this.#fork(), () =>
      this.#isCalm ? goodLink : parameters.link,
    );
    const logDirectory = `${parameters.config.dataLogDir}/version-2`;
    const now = (): number => this.#timeline.nowMs;
    this.#witness = new LogWitness(logDirectory, parameters.baseZxid, now, fail);
    this.#tap = new ServerTap(this.#timeline, this.#witness, fail);
    this.#faults = new Faults({
      timeline: this.#timeline,
      random: this.#fork(),
      network: this.#network,
      trace: this.#trace,
      parameters,
      server: () => this.#server,
    });
    this.#server = this.#makeServer(fail);
    this.#clients = this.#makeClients(fail);
    this.#prober = new Prober(this.#clientWorld(fail), this.#fork(), parameters.probeMs);
  }

  async run(): Promise<RunResult> {
    try {
      await this.#play();
    } catch (problem) {
      if (!(problem instanceof StartError)) throw problem;
      this.#fail('S19', `the disk cannot be read back: ${problem.message}`);
    }
    return this.#result();
  }

  async #play(): Promise<void> {
    const { baseZxid, config, safetyMs } = this.#parameters;
    if (baseZxid !== 0n) await writePast(this.#server.image, config, baseZxid);
    this.#faults.start();
    for (const client of this.#clients) client.start();
    this.#watchBounds();
    await this.#advance(safetyMs, () => false);
    if (this.#violation === null) await this.#live();
    if (this.#violation === null) await this.#end();
  }

  // ------------------------------------------------------------------ the world

  #fork(): SeededRandom {
    return new SeededRandom(this.#random.uint32());
  }

  #makeServer(fail: (invariant: string, message: string) => void): SimServer {
    const { config, pace } = this.#parameters;
    return new SimServer({
      timeline: this.#timeline,
      random: this.#fork(),
      network: this.#network,
      trace: this.#trace,
      witness: this.#witness,
      tap: this.#tap,
      config,
      address: serverAddress.host,
      pace,
      wallMs: WALL_MS,
      sabotage: this.#options.sabotage ?? {},
      diskLatencyMs: (call) => this.#faults.diskLatencyMs(call),
      faultOf: (call) => this.#faults.diskFault(call),
      fail,
      onStarted: (server) => {
        this.#onStarted(server);
      },
      onExit: () => {
        this.#faults.restartLater();
      },
      onMark: (mark, fields) => {
        this.#onMark(mark, fields);
      },
    });
  }

  #clientWorld(fail: (invariant: string, message: string) => void): ClientWorld {
    return {
      timeline: this.#timeline,
      network: this.#network,
      history: this.#history,
      trace: this.#trace,
      server: serverAddress,
      fail,
    };
  }

  #makeClients(fail: (invariant: string, message: string) => void): SimClient[] {
    const world = this.#clientWorld(fail);
    return this.#parameters.clients.map(
      (traits, i) => new SimClient(`c${i + 1}`, addressOf(i), world, this.#fork(), traits),
    );
  }

  // ------------------------------------------------------------------ phases

  async #live(): Promise<void> {
    this.#trace.note('T', 'run', 'faults end');
    this.#isCalm = true;
    this.#faults.stop();
    this.#server.spare();
    for (const link of [...this.#network.links()]) this.#network.reset(link);
    // a machine that has come through all that may also have to start once more
    if (this.#random.chance(0.3)) this.#server.kill(this.#random.pick(['process', 'machine']));
    this.#server.start();
    this.#server.process?.wake();
    for (const [i, client] of this.#clients.entries()) {
      if (i < this.#parameters.leaverCount) client.leave();
      else client.calmDown();
    }
    const { maxSessionTimeoutMs, tickTimeMs } = this.#parameters.config;
    const patienceMs = 2 * maxSessionTimeoutMs + 10 * tickTimeMs + 10_000;
    const isDone = await this.#advance(this.#timeline.nowMs + patienceMs, () => this.#isSettled());
    if (!isDone && this.#violation === null) this.#fail('S24', this.#describeUnsettled());
  }

  #isSettled(): boolean {
    return this.#describeUnsettled() === '';
  }

  #describeUnsettled(): string {
    const server = this.#server.server;
    if (server === null) return 'the server does not serve';
    const waiting = this.#clients.filter((client) => !client.isGone && !client.isProven);
    if (waiting.length > 0)
      return `${waiting.map((client) => client.name).join()} got no write done`;
    const living = new Set<bigint>();
    for (const client of this.#clients) if (!client.isGone) living.add(client.sessionId);
    for (const session of server.sessions.all()) {
      if (!living.has(session.id)) return `session ${session.id} has not expired`;
    }
    for (const id of server.tree.sessionsWithEphemerals()) {
      if (!living.has(id)) return `session ${id} still has ephemerals`;
    }
    return '';
  }

  async #end(): Promise<void> {
    const { config, baseZxid } = this.#parameters;
    const memory = this.#recoveryOf(this.#server.server);
    const wrong = wrongFate([this.#server.server], this.#witness.txns, this.#history);
    if (wrong !== null) this.#fail('S26', wrong);
    const end = this.#random.pick(['stop', 'stop', 'process', 'machine'] as const);
    this.#server.retire();
    if (end !== 'stop') this.#server.kill(end);
    else {
      const down: true[] = [];
      this.#server.stop(() => {
        down.push(true);
      });
      if (!(await this.#advance(this.#timeline.nowMs + 60_000, () => down.length > 0))) {
        this.#fail('S24', 'the server does not stop');
        return;
      }
    }
    const recovered = await this.#recoverTwice(memory);
    // after a power failure nobody can tell damage from a torn end
    // and after a kill, what was under way may have reached the disk without anybody knowing
    const { durableZxid } = this.#witness;
    if (end === 'stop') await this.#flipBits(recovered, durableZxid);
    else if (end === 'process') await this.#flipBits(recovered, this.#history.floor);
    if (durableZxid < this.#history.floor) {
      this.#fail(
        'S23',
        `${formatZxid(this.#history.floor)} was shown, the disk ends at ${formatZxid(durableZxid)}`,
      );
    }
    checkHistory({
      history: this.#history,
      txns: this.#witness.txns,
      base: baseZxid,
      options: { skipAcl: config.skipAcl, extendedTypes: config.extendedTypesEnabled },
      recoveries: this.#recoveries,
      announced: this.#announced,
      minTimeoutMs: config.minSessionTimeoutMs,
      maxTimeoutMs: config.maxSessionTimeoutMs,
      fail: (invariant, message) => {
        this.#fail(invariant, message);
      },
    });
  }

  /** What is on the disk now is what memory held, and recovering again changes nothing (S17, S19). */
  async #recoverTwice(memory: Recovery | null): Promise<RecoveredAlone> {
    const { config } = this.#parameters;
    const image = this.#server.image;
    this.#witness.watch(image);
    const once = await recoverAlone(image, config);
    const twice = await recoverAlone(image, config);
    const again = differenceOf(once.dump, 'first', twice.dump, 'second');
    if (again !== null || once.zxid !== twice.zxid) {
      this.#fail('S19', `recovering twice gives two results: ${again ?? 'another zxid'}`);
    }
    this.#recoveries.push({ ...once, startNumber: this.#server.starts + 1 });
    if (memory?.zxid !== once.zxid) return once;
    const difference = differenceOf(memory.dump, 'memory', once.dump, 'disk');
    if (difference !== null) this.#fail('S17', difference);
    return once;
  }

  /** A damaged byte is found, or it does not matter: nothing durable is lost in silence (D7). */
  async #flipBits(undamaged: RecoveredAlone, confirmed: Zxid): Promise<void> {
    const random = this.#random;
    const files = [...this.#server.image.inodes].filter(([, inode]) => inode.kind === 'file');
    for (let i = 0; i < BIT_FLIPS && files.length > 0; i++) {
      const image = this.#server.image.clone();
      const [number] = random.pick(files);
      const file = image.file(number);
      const size = Math.min(file.now.size, 64 * 1024);
      if (size === 0) continue;
      const position = random.below(size);
      const byte = new Uint8Array(1);
      file.now.read(byte, 0, 1, position);
      byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8));
      file.now.write(byte, 0, 1, position);
      const found = await recoverAlone(image, this.#parameters.config).catch((problem: unknown) => {
        if (problem instanceof StartError) return null;
        throw problem;
      });
      if (found === null) continue;
      const where = `byte ${position} of inode ${number} (of ${file.now.size} bytes)`;
      if (found.zxid < confirmed) {
        this.#fail(
          'D7',
          `${where} was damaged, and ${formatZxid(confirmed)} went with it: ${formatZxid(found.zxid)}`,
        );
      }
      if (found.zxid !== undamaged.zxid) continue;
      const difference = differenceOf(undamaged.dump, 'undamaged', found.dump, 'damaged');
      if (difference !== null)
        this.#fail('D7', `${where} was damaged, and believed: ${difference}`);
    }
  }

  // ------------------------------------------------------------------ time

  /** Runs until then, or until `isEnough`, which is asked now and then, or until something is wrong. */
  async #advance(untilMs: number, isEnough: () => boolean): Promise<boolean> {
    const isOver = (): boolean => this.#violation !== null || this.#errands.length > 0;
    for (;;) {
      const isReached = await advance(this.#timeline, { untilMs, isEnough, every: 64, isOver });
      if (this.#errands.length === 0) return isReached;
      for (const errand of this.#errands.splice(0)) await errand();
    }
  }

  // ------------------------------------------------------------------ what the server shows

  #onStarted(server: Server): void {
    if (this.#parameters.walkStep > 0) shrinkWalks(server.tree, this.#parameters.walkStep);
    const found = this.#recoveryOf(server);
    if (found === null) return;
    this.#recoveries.push(found);
    if (found.zxid < this.#history.floor) {
      const floor = formatZxid(this.#history.floor);
      this.#fail(
        'S23',
        `${floor} had been shown, after a restart the tree ends at ${formatZxid(found.zxid)}`,
      );
    }
    // once in a while is enough, and twice as fast
    if (!this.#random.chance(RECOVERED_AGAIN)) return;
    const image = this.#server.image.clone();
    this.#errands.push(async () => {
      const alone = await recoverAlone(image, this.#parameters.config);
      if (alone.zxid < found.zxid) this.#fail('S19', 'recovering again finds less');
      if (alone.zxid !== found.zxid) return;
      const difference = differenceOf(found.dump, 'first', alone.dump, 'second');
      if (difference !== null)
        this.#fail('S19', `recovering again finds something else: ${difference}`);
    });
  }

  #recoveryOf(server: Server | null): Recovery | null {
    if (server === null) return null;
    const { tree, sessions } = server;
    const zxid = BigInt.asIntN(
      64,
      (BigInt(tree.lastZxidHigh) << 32n) | BigInt(tree.lastZxidLow >>> 0),
    );
    const living: [bigint, number][] = [];
    for (const session of sessions.all()) {
      if (session.isEstablished) living.push([session.id, session.timeoutMs]);
    }
    return { zxid, dump: dumpTree(tree, living), startNumber: this.#server.starts };
  }

  #onMark(mark: string, fields: LogFields): void {
    switch (mark) {
      case 'session expired':
        this.#onExpired(BigInt.asIntN(64, BigInt(String(fields['session']))));
        break;
      case 'client has seen a later zxid than this server, it must try another':
        this.#fail('S23', `the server has forgotten what it showed: ${JSON.stringify(fields)}`);
        break;
      case 'removing the ephemerals of a session that is gone':
        this.#fail('E3', `ephemerals without a session: ${JSON.stringify(fields)}`);
        break;
      default:
    }
  }

  /** Never before its time, counted from the last byte that came (E1). */
  #onExpired(id: bigint): void {
    this.#announced.add(id);
    const server = this.#server.server;
    const session = server?.sessions.get(id);
    if (server === null || session === undefined) return;
    const { timeoutMs } = session;
    const nowMs = this.#timeline.nowMs + (this.#server.process?.spentMs ?? 0);
    const heard = this.#tap.attentionTo(id);
    const readMs = Math.max(heard?.readMs ?? 0, server.startedMs);
    if (nowMs < readMs + timeoutMs) {
      this.#fail(
        'E1',
        `session ${id} expired ${nowMs - readMs} ms after it was heard, its timeout is ${timeoutMs}`,
      );
    }
    const arrivedMs = heard?.arrivedMs ?? 0;
    const isOverlooked =
      arrivedMs > readMs &&
      nowMs - arrivedMs > this.#parameters.config.tickTimeMs / 2 + 50 &&
      !this.#tap.isHeldBack(id);
    if (isOverlooked && nowMs < arrivedMs + timeoutMs) {
      this.#fail(
        'E1',
        `session ${id} expired, and bytes of it lay unread for ${nowMs - arrivedMs} ms`,
      );
    }
  }

  #watchBounds(): void {
    this.#timeline.after(BOUNDS_EVERY_MS, () => {
      this.#checkBounds();
      this.#watchBounds();
    });
  }

  /** Nothing grows beyond its limit (S25). */
  #checkBounds(): void {
    const server = this.#server.server;
    if (server === null) return;
    const { globalOutstandingLimit, juteMaxBufferBytes } = this.#parameters.config;
    // requests of connections that are gone are still under way, and the server's own come on top:
    // at most one for each session and each znode
    const connections = server.port.connections().size + GONE_CONNECTIONS;
    const own = server.sessions.size + server.tree.nodeCount;
    const requests = server.replica.outstandingCount + server.port.parkedCount;
    if (requests > globalOutstandingLimit + connections * REQUESTS_PER_READ + own) {
      this.#fail(
        'S25',
        `${requests} requests are outstanding, the limit is ${globalOutstandingLimit}`,
      );
    }
    const bytesMax = OUTPUT_SLACK_BYTES + 4 * juteMaxBufferBytes;
    for (const socket of this.#tap.sockets()) {
      if (socket.pendingBytes > bytesMax)
        this.#fail('S25', `${socket.pendingBytes} bytes wait for one client`);
    }
  }

  // ------------------------------------------------------------------ the end

  #fail(invariant: string, message: string): void {
    if (this.#violation !== null) return;
    this.#violation = { invariant, message, atMs: this.#timeline.nowMs };
    this.#trace.note('F', 'check', 'violation', 0, 0, () => `${invariant}: ${message}`);
  }

  #result(): RunResult {
    return {
      seed: this.#options.seed,
      violation: this.#violation,
      hash: this.#trace.hash,
      simulatedMs: this.#timeline.nowMs,
      events: this.#timeline.count,
      replies: this.#history.replyCount,
      watchEvents: this.#history.eventCount,
      txns: this.#witness.txns.length,
      starts: this.#server.starts,
      probes: this.#prober.answers,
      hits: this.#faults.hits,
    };
  }
}

/** Trees are small here: their walks must give way all the same, or none is ever overtaken. */
function shrinkWalks(tree: Tree, nodesMax: number): void {
  const walk = tree.walk.bind(tree);
  tree.walk = () => {
    const started = walk();
    const step = started.step.bind(started);
    started.step = (visit, budgetNodes) => step(visit, Math.min(budgetNodes, nodesMax));
    return started;
  };
}
