/**
 * One simulated run of an ensemble: a seed in, a verdict out. First everything may go wrong, between
 * servers above all, then nothing does: then a leader must be found, every client served, and every
 * server must come to hold the same. What clients were told is judged by the one history that the
 * ensemble had (chronicle.ts).
 */
import { SeededRandom } from '../../base/random.js';
import type { LogFields } from '../../ports/logger.js';
import { formatZxid } from '../../protocol/zxid.js';
import { configText } from '../../server/ensemble/config-text.js';
import { StartError } from '../../storage/start-error.js';
import type { Tree } from '../../tree/tree.js';
import type { RoleName } from '../../zab/ready.js';
import { checkHistory, type Recovery } from '../checker.js';
import { SimClient } from '../client.js';
import { Timeline } from '../clock.js';
import { differenceOf, shared } from '../dump.js';
import { addressOf } from '../faults.js';
import { History, type Violation } from '../history.js';
import { configPath } from '../model.js';
import { SimNetwork } from '../network.js';
import { goodLink } from '../parameters.js';
import type { RunResult } from '../run.js';
import { drained, recoverAlone } from '../scratch.js';
import { ServerTap } from '../server-tap.js';
import { Trace } from '../trace.js';
import { Chronicle } from './chronicle.js';
import { EnsembleFaults } from './faults.js';
import {
  clientPort,
  drawEnsemble,
  hostOf,
  sidAt,
  type EnsembleParameters,
  furnished,
} from './parameters.js';
import { Operator } from './operator.js';
import { clientsOnly, shrinkWalks, stateOf, zxidOf } from './glances.js';
import { PeerTap } from './peer-tap.js';
import { Stage, type Script } from './stage.js';
import { SimMember, type EnsembleSabotage } from './sim-member.js';

export interface EnsembleRunOptions {
  readonly seed: number;
  readonly sabotage?: EnsembleSabotage;
  readonly sink?: (line: string) => void;
  /** Played in place of what the seed would let go wrong. */
  readonly script?: Script;
}

/** No scenario waits longer for one thing. */
const PATIENCE_MS = 120_000;
const WALL_MS = 1_800_000_000_000;

/** Runs a seed to its end, or to the first broken promise. */
export async function runEnsembleSeed(options: EnsembleRunOptions): Promise<RunResult> {
  const restore = options.sabotage?.patch?.();
  try {
    return await new EnsembleRun(options).run();
  } finally {
    restore?.();
  }
}

class EnsembleRun {
  readonly #options: EnsembleRunOptions;
  readonly #timeline = new Timeline();
  readonly #trace: Trace;
  readonly #random: SeededRandom;
  readonly #parameters: EnsembleParameters;
  readonly #network: SimNetwork;
  readonly #history = new History();
  readonly #chronicle: Chronicle;
  readonly #peerTap: PeerTap;
  readonly #members: SimMember[];
  readonly #faults: EnsembleFaults;
  readonly #stage: Stage;
  readonly #clients: SimClient[];
  readonly #operator: Operator | null;
  readonly #states: Recovery[] = [];
  readonly #announced = new Set<bigint>();
  readonly #listening = new WeakSet<Tree>();
  /** By sid, as they were last found durable. */
  readonly #epochs = new Map<number, { accepted: number; current: number }>();
  #isCalm = false;
  #violation: Violation | null = null;

  constructor(options: EnsembleRunOptions) {
    this.#options = options;
    this.#trace = new Trace(this.#timeline, options.sink ?? null);
    this.#random = new SeededRandom(options.seed);
    const drawn = drawEnsemble(options.seed, this.#fork());
    // mutants have seeds of their own, from before all of that was drawn
    const parameters =
      options.sabotage === undefined ? furnished(drawn) : (options.sabotage.tune?.(drawn) ?? drawn);
    this.#parameters = parameters;
    const fail = (invariant: string, message: string): void => {
      this.#fail(invariant, message);
    };
    this.#network = new SimNetwork(this.#timeline, this.#fork(), (from) => {
      if (this.#isCalm) return goodLink;
      return sidAt(from) > 0 ? parameters.link : parameters.clientLink;
    });
    this.#chronicle = new Chronicle({
      servers: () => this.#members,
      config: parameters.configs[0]!.ensemble,
      nowMs: () => this.#timeline.nowMs,
      fail,
    });
    this.#peerTap = new PeerTap({ trace: this.#trace, fail });
    this.#members = parameters.configs.map((_, i) => this.#makeMember(i, fail));
    this.#faults = new EnsembleFaults({
      timeline: this.#timeline,
      random: this.#fork(),
      network: this.#network,
      trace: this.#trace,
      parameters,
      members: () => this.#members,
    });
    this.#stage = new Stage({
      timeline: this.#timeline,
      network: this.#network,
      faults: this.#faults,
      chronicle: this.#chronicle,
      members: () => this.#members,
      fail,
    });
    this.#clients = this.#makeClients(fail);
    this.#operator = this.#makeOperator(fail);
  }

  async run(): Promise<RunResult> {
    try {
      await this.#play();
    } catch (problem) {
      if (!(problem instanceof StartError)) throw problem;
      this.#fail('S19', `a disk cannot be read back: ${problem.message}`);
    }
    return this.#result();
  }

  async #play(): Promise<void> {
    const starters = this.#options.script === undefined ? this.#members : [];
    for (const member of starters) {
      this.#timeline.after(this.#random.chance(0.7) ? 0 : 2000 * this.#random.fraction(), () => {
        this.#faults.start(member);
      });
    }
    for (const client of this.#clients) client.start();
    const { script } = this.#options;
    if (script !== undefined) await this.#perform(script);
    else await this.#advance(this.#parameters.safetyMs, () => false);
    if (this.#violation === null) await this.#live();
    if (this.#violation === null) await this.#end();
  }

  async #perform(script: Script): Promise<void> {
    for (const { what, isOver, work } of script(this.#stage)) {
      await work;
      const hasCome = await this.#advance(this.#timeline.nowMs + PATIENCE_MS, isOver, 1);
      if (hasCome) continue;
      if (this.#violation === null) this.#fail('scenario', `it never came to this: ${what}`);
      return;
    }
  }

  // ------------------------------------------------------------------ the world

  #fork(): SeededRandom {
    return new SeededRandom(this.#random.uint32());
  }

  #makeMember(index: number, fail: (invariant: string, message: string) => void): SimMember {
    const { configs, pace } = this.#parameters;
    const config = configs[index]!;
    const sid = index + 1;
    return new SimMember({
      sid,
      address: hostOf(sid),
      timeline: this.#timeline,
      random: this.#fork(),
      network: this.#network,
      trace: this.#trace,
      clientTap: clientsOnly(new ServerTap(this.#timeline, this.#witness, fail)),
      peerTap: this.#peerTap,
      config,
      pace,
      wallMs: WALL_MS + sid * 1000,
      sabotage: this.#options.sabotage ?? {},
      onRecord: this.#chronicle.onRecord,
      diskLatencyMs: (call) => this.#faults.diskLatencyMs(call),
      faultOf: (call) => this.#stage.diskFault(sid, call) ?? this.#faults.diskFault(call),
      fail,
      onState: (member, state) => {
        this.#onState(member, state);
      },
      onSettled: (member) => {
        this.#checkEpochs(member);
      },
      onWiped: (wiped) => {
        this.#epochs.delete(wiped.sid);
        this.#peerTap.onWiped(wiped.sid);
      },
      onExit: (member) => {
        this.#faults.restartLater(member);
      },
      onMark: (marked, mark, fields) => {
        this.#onMark(mark, fields);
        this.#stage.onMark(marked.sid, mark, fields);
        if (mark === 'a configuration is in force') this.#operator?.check(marked);
      },
      configStoreOf: (member) => this.#operator?.storeOf(member) ?? null,
    });
  }

  #makeOperator(fail: (invariant: string, message: string) => void): Operator | null {
    const { reconfigMs: meanMs, configs } = this.#parameters;
    if (meanMs === Infinity) return null;
    const [timeline, trace, random] = [this.#timeline, this.#trace, this.#fork()];
    const members = configs[0]!.ensemble;
    return new Operator({
      ...{ timeline, trace, random, meanMs, members, fail },
      servers: () => this.#members,
    });
  }

  /** What may be told to clients: of sessions that no transaction makes, the log knows nothing. */
  get #witness(): ConstructorParameters<typeof ServerTap>[1] {
    const chronicle = this.#chronicle;
    const isLocal = this.#hasLocalSessions;
    return {
      get durableZxid() {
        return chronicle.durableZxid;
      },
      hasSession: (id) => isLocal || chronicle.hasSession(id),
    };
  }

  get #hasLocalSessions(): boolean {
    return this.#parameters.configs.some(({ ensemble }) => ensemble.localSessionsEnabled);
  }

  #makeClients(fail: (invariant: string, message: string) => void): SimClient[] {
    const { configs, clients } = this.#parameters;
    const [timeline, network, history, trace] = [
      this.#timeline,
      this.#network,
      this.#history,
      this.#trace,
    ];
    return clients.map((traits, i) => {
      const random = this.#fork();
      const world = {
        timeline,
        network,
        history,
        trace,
        fail,
        /** Another one at each look. */
        get server() {
          return { host: hostOf(random.between(1, configs.length)), port: clientPort };
        },
      };
      return new SimClient(`c${i + 1}`, addressOf(i), world, this.#fork(), traits);
    });
  }

  // ------------------------------------------------------------------ phases

  async #live(): Promise<void> {
    this.#trace.note('T', 'run', 'faults end');
    this.#isCalm = true;
    this.#faults.stop();
    this.#operator?.restore();
    for (const link of [...this.#network.links()]) this.#network.reset(link);
    for (const member of this.#members) {
      member.spare();
      member.start();
      member.process?.wake();
    }
    for (const [i, client] of this.#clients.entries()) {
      if (i < this.#parameters.leaverCount) client.leave();
      else client.calmDown();
    }
    const { maxSessionTimeoutMs, tickTimeMs, ensemble } = this.#parameters.configs[0]!;
    const patienceMs = 2 * maxSessionTimeoutMs + 4 * ensemble.initLimit * tickTimeMs + 15_000;
    const isDone = await this.#advance(this.#timeline.nowMs + patienceMs, () => this.#isSettled());
    if (!isDone && this.#violation === null) this.#fail('S24', this.#describeUnsettled());
  }

  #isSettled(): boolean {
    return this.#describeUnsettled() === '';
  }

  #describeUnsettled(): string {
    if (this.#operator?.isRestored === false) return 'the first configuration is not back';
    const idle = this.#members.filter(({ member }) => member?.server?.isServing !== true);
    if (idle.length > 0) return `${idle.map(({ name }) => name).join()} do not serve`;
    const leaders = this.#members.filter(({ isLeading }) => isLeading);
    const leader = leaders[0]?.member?.server;
    if (leaders.length !== 1 || leader === undefined || leader === null) {
      return `${leaders.length} lead`;
    }
    const waiting = this.#clients.filter((client) => !client.isGone && !client.isProven);
    if (waiting.length > 0)
      return `${waiting.map((client) => client.name).join()} got no write done`;
    const living = new Set<bigint>();
    for (const client of this.#clients) if (!client.isGone) living.add(client.sessionId);
    for (const session of leader.sessions.all()) {
      if (!living.has(session.id)) return `session ${session.id} has not expired`;
    }
    for (const { name, member } of this.#members) {
      const server = member?.server;
      if (server === undefined || server === null) return `${name} does not serve`;
      for (const session of server.replica.localSessions?.tracker.all() ?? []) {
        if (!living.has(session.id)) return `${name} has not expired session ${session.id}`;
      }
      const zxid = zxidOf(server.tree);
      if (this.#chronicle.positionOf(zxid) !== this.#chronicle.txns.length) {
        return `${name} is at ${formatZxid(zxid)}, committed is ${formatZxid(this.#chronicle.last)}`;
      }
    }
    return '';
  }

  async #end(): Promise<void> {
    this.#compareTrees();
    const { configs } = this.#parameters;
    let down = 0;
    for (const member of this.#members) {
      member.retire();
      const end = this.#random.pick(['stop', 'stop', 'process', 'machine'] as const);
      if (end === 'stop') member.stop(() => down++);
      else {
        member.kill(end);
        down++;
      }
    }
    const isDown = (): boolean => down === this.#members.length;
    if (!(await this.#advance(this.#timeline.nowMs + 60_000, isDown))) {
      this.#fail('S24', 'a server does not stop');
      return;
    }
    const last = this.#chronicle.last;
    for (const [i, member] of this.#members.entries()) {
      const { zxid, dump } = await recoverAlone(member.image, configs[i]!);
      // an observer's last transactions may be on their way yet, and a voter's to a quorum
      if (zxid < last) this.#trace.note('S', member.name, 'lacks the last');
      else this.#states.push({ zxid, dump, startNumber: member.starts + 1 });
    }
    this.#judge();
  }

  #judge(): void {
    const config = this.#parameters.configs[0]!;
    const { floor } = this.#history;
    if (floor > this.#chronicle.durableZxid) {
      this.#fail('S23', `${formatZxid(floor)} was shown, the history does not reach so far`);
    }
    checkHistory({
      history: this.#history,
      txns: this.#chronicle.txns,
      base: 0n,
      positionOf: (zxid) => this.#chronicle.positionOf(zxid),
      mayLag: true,
      hasLocalSessions: this.#hasLocalSessions,
      options: {
        skipAcl: config.skipAcl,
        extendedTypes: config.extendedTypesEnabled,
        configText: configText(config.ensemble),
        isReconfigured: this.#operator !== null,
      },
      recoveries: this.#states,
      announced: this.#announced,
      minTimeoutMs: config.minSessionTimeoutMs,
      maxTimeoutMs: config.maxSessionTimeoutMs,
      fail: (invariant, message) => {
        this.#fail(invariant, message);
      },
    });
  }

  /** All servers hold the same (S21). */
  #compareTrees(): void {
    let first: { readonly name: string; readonly state: Recovery } | null = null;
    for (const { name, member, starts } of this.#members) {
      const server = member?.server;
      if (server === undefined || server === null) continue;
      const state = stateOf(server, starts);
      this.#states.push(state);
      first ??= { name, state };
      const [one, other] = [shared(first.state.dump), shared(state.dump)];
      const difference = differenceOf(one, first.name, other, name);
      if (difference !== null) this.#fail('S21', difference);
    }
  }

  // ------------------------------------------------------------------ time

  async #advance(untilMs: number, isEnough: () => boolean, every = 256): Promise<boolean> {
    const timeline = this.#timeline;
    for (let steps = 0; this.#violation === null; steps++) {
      if (steps % every === 0 && isEnough()) return true;
      if (!timeline.step(untilMs)) return isEnough();
      if (timeline.mustDrain) {
        timeline.mustDrain = false;
        await drained();
      }
    }
    return false;
  }

  // ------------------------------------------------------------------ what servers show

  #onState(member: SimMember, state: RoleName | 'looking'): void {
    this.#trace.note('S', member.name, state);
    const server = member.member?.server;
    if (state === 'looking' || server === null || server === undefined) return;
    const { tree } = server;
    if (state === 'leading') this.#chronicle.onLeading(member, tree.lastZxidHigh);
    else this.#chronicle.onLearning(member, zxidOf(tree));
    this.#checkConfig(member, tree);
    this.#listenTo(member, tree);
    this.#states.push(stateOf(server, member.starts));
  }

  /** Every server shows the configuration, whatever the znode held before. */
  #checkConfig({ name, member }: SimMember, tree: Tree): void {
    const shown = tree.data(tree.findPath(configPath)) ?? new Uint8Array(0);
    const own = member?.membership.inForce.text;
    const due = own ?? configText(this.#parameters.configs[0]!.ensemble);
    if (new TextDecoder().decode(shown) === due) return;
    this.#fail('S21', `${name} does not show clients the configuration`);
  }

  /** Every transaction that is applied while clients are served. */
  #listenTo(member: SimMember, tree: Tree): void {
    if (this.#listening.has(tree)) return;
    this.#listening.add(tree);
    if (this.#parameters.walkStep > 0) shrinkWalks(tree, this.#parameters.walkStep);
    const apply = tree.apply.bind(tree);
    tree.apply = (bytes, start, end) => {
      const isServed = member.member?.server?.tree === tree && member.process?.isDead === false;
      if (isServed) {
        this.#chronicle.onApplied(member, zxidOf(tree), bytes.slice(start, end));
      }
      return apply(bytes, start, end);
    };
  }

  /** Promises are kept (S16). */
  #checkEpochs(member: SimMember): void {
    const { acceptedEpoch: accepted, currentEpoch: current } = member.history;
    const before = this.#epochs.get(member.sid) ?? { accepted: 0, current: 0 };
    if (before.accepted === accepted && before.current === current) return;
    this.#epochs.set(member.sid, { accepted, current });
    const told = `accepted ${before.accepted} > ${accepted}, current ${before.current} > ${current}`;
    if (accepted < before.accepted || current < before.current || current > accepted) {
      this.#fail('S16', `the epochs of ${member.name}: ${told}`);
    }
    // whoever votes alone leads without a word
    const voters = member.member?.membership.inForce.quorum.voters.size;
    // while it starts nobody knows, where that may change, how many vote
    const unknown = this.#operator === null ? this.#parameters.voterCount : 1;
    if (current > before.current && (voters ?? unknown) > 1)
      this.#peerTap.onCurrentEpoch(member, current);
  }

  #onMark(mark: string, fields: LogFields): void {
    if (mark === 'session expired') {
      this.#announced.add(BigInt.asIntN(64, BigInt(String(fields['session']))));
    } else if (mark === 'removing the ephemerals of a session that is gone') {
      this.#fail('E3', `ephemerals without a session: ${JSON.stringify(fields)}`);
    } else if (mark.startsWith('the tree differs from what was foreseen')) {
      this.#fail('S20', `a digest differs: ${JSON.stringify(fields)}`);
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
      txns: this.#chronicle.txns.length,
      starts: this.#members.reduce((sum, { starts }) => sum + starts, 0),
      probes: 0,
      hits: new Map([
        ...this.#faults.hits,
        ['epochs', this.#chronicle.epochs],
        ['configurations', this.#operator?.changes ?? 0],
      ]),
    };
  }
}
