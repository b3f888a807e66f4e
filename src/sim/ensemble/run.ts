/**
 * One simulated run of an ensemble: a seed in, a verdict out. First everything may go wrong, between
 * servers above all, then nothing does: then a leader must be found, every client served, and every
 * server must come to hold the same. What clients were told is judged by the one history that the
 * ensemble had (chronicle.ts).
 */
import { SeededRandom } from '../../base/random.js';
import type { LogFields } from '../../ports/logger.js';
import { configText } from '../../server/ensemble/config-text.js';
import { StartError } from '../../storage/start-error.js';
import type { Tree } from '../../tree/tree.js';
import type { RoleName } from '../../zab/ready.js';
import { advance } from '../advance.js';
import type { Recovery } from '../checker.js';
import type { SimClient } from '../client.js';
import { Timeline } from '../clock.js';
import { wrongFate } from '../fate-check.js';
import { History, type Violation } from '../history.js';
import { SimNetwork } from '../network.js';
import { goodLink } from '../parameters.js';
import type { RunResult } from '../run.js';
import { recoverAlone } from '../scratch.js';
import { ServerTap } from '../server-tap.js';
import { Trace } from '../trace.js';
import { AutopilotWatch } from './autopilot-watch.js';
import { Debts } from './apache-peer.js';
import { makeClients } from './clients.js';
import { balanced } from './balancer-parameters.js';
import { Chronicle } from './chronicle.js';
import type { DurableHistory } from './durable-history.js';
import { EpochWatch } from './epoch-watch.js';
import { EnsembleFaults } from './faults.js';
import { Front } from './front.js';
import { judge } from './judgement.js';
import { asDrawn, drawEnsemble, hostOf, sidAt, type EnsembleParameters } from './parameters.js';
import { Operator } from './operator.js';
import {
  clientsOnly,
  differingDigest,
  differingState,
  showsConfig,
  shrinkWalks,
  stateOf,
  witnessOf,
  zxidOf,
} from './glances.js';
import { PeerTap } from './peer-tap.js';
import { Stage, type Script } from './stage.js';
import { SimOracle } from './sim-oracle.js';
import { SimMember, type EnsembleSabotage } from './sim-member.js';
import { unsettled } from './unsettled.js';

export interface EnsembleRunOptions {
  readonly seed: number;
  readonly sabotage?: EnsembleSabotage;
  /** Clients come by balancers. */
  readonly hasBalancers?: boolean;
  readonly sink?: (line: string) => void;
  /** Played in place of what the seed would let go wrong. */
  readonly script?: Script;
  /** Of the script, with each step. */
  readonly patienceMs?: number;
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
  readonly #front: Front | null;
  readonly #taps: ServerTap[] = [];
  readonly #operator: Operator | null;
  readonly #oracle: SimOracle | null;
  readonly #autopilotWatch: AutopilotWatch;
  readonly #states: Recovery[] = [];
  readonly #announced = new Set<bigint>();
  readonly #listening = new WeakSet<Tree>();
  readonly #epochWatch: EpochWatch;
  readonly #debts = new Debts();
  #isCalm = false;
  /** Something is wrong, or a peer has lost what others relied on: nothing more can be learnt. */
  #isOver = false;
  #violation: Violation | null = null;

  constructor(options: EnsembleRunOptions) {
    this.#options = options;
    this.#trace = new Trace(this.#timeline, options.sink ?? null);
    this.#random = new SeededRandom(options.seed);
    const drawn = drawEnsemble(options.seed, this.#fork());
    // mutants have seeds of their own, from before all of that was drawn
    const { sabotage } = options;
    const whole = options.hasBalancers === true ? balanced(asDrawn(drawn)) : asDrawn(drawn);
    const parameters = sabotage === undefined ? whole : (sabotage.tune?.(drawn) ?? drawn);
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
      isOwed: (sid, zxid) => this.#debts.covers(sid, zxid),
      maySettleAlone: this.#isAlone,
      fail,
    });
    this.#peerTap = new PeerTap({
      trace: this.#trace,
      debts: this.#debts,
      fail,
      onPacket: (packet) => {
        this.#stage.cues.onPacket(packet);
      },
    });
    const voterCount = parameters.reconfigMs === Infinity ? parameters.voterCount : null;
    const [peerTap, mayLeadAlone] = [this.#peerTap, this.#isAlone];
    this.#epochWatch = new EpochWatch({ peerTap, voterCount, mayLeadAlone, fail });
    this.#members = parameters.configs.map((_, i) => this.#makeMember(i, fail));
    this.#faults = new EnsembleFaults({
      timeline: this.#timeline,
      random: this.#fork(),
      network: this.#network,
      trace: this.#trace,
      parameters,
      members: () => this.#members,
      isPrecious: (sid) => this.#oracle?.isPrecious(sid) === true,
    });
    const [timeline, trace, history] = [this.#timeline, this.#trace, this.#history];
    const isRelayed = parameters.balancers !== null;
    const shared = { timeline, trace, history, network: this.#network, fail, isRelayed };
    this.#stage = new Stage({
      ...{ timeline, network: this.#network, faults: this.#faults, guestWorld: shared, fail },
      chronicle: this.#chronicle,
      members: () => this.#members,
      oracle: () => this.#oracle,
      front: () => this.#front,
    });
    this.#front = this.#makeFront(fail);
    this.#clients = makeClients(parameters, () => this.#fork(), shared, this.#front);
    this.#operator = this.#makeOperator(fail);
    this.#oracle = this.#makeOracle();
    const [config, servers] = [parameters.configs[0]!, this.#members];
    this.#autopilotWatch = new AutopilotWatch({ timeline, config, fail, servers });
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
    this.#front?.start();
    for (const client of this.#clients) client.start();
    const { script } = this.#options;
    if (script !== undefined) await this.#perform(script);
    else await this.#advance(this.#parameters.safetyMs, () => false);
    if (!this.#isOver) await this.#live();
    if (!this.#isOver) await this.#end();
  }

  async #perform(script: Script): Promise<void> {
    for (const { what, isOver, work } of script(this.#stage)) {
      await work;
      const { patienceMs = PATIENCE_MS } = this.#options;
      const hasCome = await this.#advance(this.#timeline.nowMs + patienceMs, isOver, 1);
      if (hasCome) continue;
      this.#fail('scenario', `it never came to this: ${what}`);
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
    const own = (): DurableHistory => member.history;
    const witness = witnessOf(this.#chronicle, this.#hasLocalSessions, own);
    this.#taps.push(new ServerTap(this.#timeline, witness, fail));
    const member = new SimMember({
      sid,
      address: hostOf(sid),
      timeline: this.#timeline,
      random: this.#fork(),
      network: this.#network,
      trace: this.#trace,
      clientTap: clientsOnly(this.#taps[index]!),
      peerTap: this.#peerTap,
      config,
      pace,
      wallMs: WALL_MS + sid * 1000,
      sabotage: this.#options.sabotage ?? {},
      apache: this.#options.sabotage?.apache?.get(sid) ?? this.#parameters.apache.get(sid) ?? null,
      onRecord: this.#chronicle.onRecord,
      diskLatencyMs: (call) =>
        this.#stage.diskLatencyMs(sid, call) ?? this.#faults.diskLatencyMs(sid, call),
      faultOf: (call) => this.#stage.diskFault(sid, call) ?? this.#faults.diskFault(call),
      fail,
      onState: (member, state) => {
        this.#onState(member, state);
      },
      onSettled: (member) => {
        this.#epochWatch.check(member);
      },
      onWiped: (wiped) => {
        this.#epochWatch.onWiped(wiped.sid);
        this.#peerTap.onWiped(wiped.sid);
      },
      onPowerLost: (member) => {
        if (!this.#chronicle.isSafeWithout(member.sid)) this.#excuse(member);
      },
      onUnreadable: () => (this.#isOver = true),
      onExit: (member) => {
        this.#faults.restartLater(member);
      },
      onMark: (marked, mark, fields) => {
        this.#onMark(mark, fields);
        this.#stage.onMark(marked.sid, mark, fields);
        this.#autopilotWatch.onMark(marked, mark, fields);
        if (mark === 'a configuration is in force') this.#operator?.check(marked);
      },
      configStoreOf: (member) => this.#operator?.storeOf(member) ?? null,
      diskFor: (_, disk, isDead) => this.#oracle?.diskOf(sid, disk, isDead) ?? disk,
    });
    return member;
  }

  #makeOperator(fail: (invariant: string, message: string) => void): Operator | null {
    const { reconfigMs: meanMs, configs } = this.#parameters;
    if (meanMs === Infinity) return null;
    const [timeline, trace, random] = [this.#timeline, this.#trace, this.#fork()];
    const own = { timeline, trace, random, meanMs, members: configs[0]!.ensemble, fail };
    return new Operator({ ...own, servers: () => this.#members });
  }

  #makeFront(fail: (invariant: string, message: string) => void): Front | null {
    const { balancers: own } = this.#parameters;
    if (own === null) return null;
    return new Front({
      ...{ own, fail, wallMs: WALL_MS, taps: this.#taps, parameters: this.#parameters },
      ...{ timeline: this.#timeline, network: this.#network, chronicle: this.#chronicle },
      ...{ trace: this.#trace, faults: this.#faults, members: () => this.#members },
      history: this.#history,
    });
  }

  #makeOracle(): SimOracle | null {
    const { oracle: manners, configs, voterCount } = this.#parameters;
    if (manners === null || configs[0]?.ensemble.oraclePath === null) return null;
    const [timeline, trace, random] = [this.#timeline, this.#trace, this.#fork()];
    return new SimOracle({
      ...{ timeline, trace, random, manners, chronicle: this.#chronicle },
      voters: () => this.#members.slice(0, voterCount),
      onHarm: () => {
        // no story is about that
        if (this.#options.script !== undefined) this.#fail('scenario', 'the oracle is wrong');
        this.#isOver = true;
      },
    });
  }

  readonly #isAlone = (sid: number): boolean => this.#oracle?.isAlone(sid) === true;

  get #hasLocalSessions(): boolean {
    return this.#parameters.configs.some(({ ensemble }) => ensemble.localSessionsEnabled);
  }

  // ------------------------------------------------------------------ phases

  async #live(): Promise<void> {
    this.#trace.note('T', 'run', 'faults end');
    this.#isCalm = true;
    this.#stage.cues.clear();
    this.#faults.stop();
    this.#front?.calmDown();
    this.#oracle?.stop();
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
    const isDone = await this.#advance(
      this.#timeline.nowMs + patienceMs,
      () => this.#unsettled() === '',
    );
    if (!isDone) this.#fail('S24', this.#unsettled());
  }

  /** What is still to come; '': nothing. */
  #unsettled(): string {
    if (this.#operator?.isRestored === false) return 'the first configuration is not back';
    const [members, clients, chronicle] = [this.#members, this.#clients, this.#chronicle];
    return unsettled({ members, clients, chronicle });
  }

  async #end(): Promise<void> {
    this.#compareTrees();
    const { configs } = this.#parameters;
    if (!(await this.#stopFront())) return;
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

  async #stopFront(): Promise<boolean> {
    if (this.#front === null) return true;
    if (await this.#advance(this.#timeline.nowMs + 10_000, this.#front.stop(), 1)) return true;
    this.#fail('S24', 'a balancer does not stop');
    return false;
  }

  #judge(): void {
    judge({
      ...{ parameters: this.#parameters, chronicle: this.#chronicle, history: this.#history },
      ...{ recoveries: this.#states, announced: this.#announced },
      hasLocalSessions: this.#hasLocalSessions,
      isReconfigured: this.#operator !== null,
      fail: (invariant, message) => {
        this.#fail(invariant, message);
      },
    });
  }

  /** All servers hold the same (S21), and tell nothing wrong of it (S26). */
  #compareTrees(): void {
    const differing = differingDigest(this.#members);
    if (differing !== null) this.#fail('S21', differing);
    const difference = differingState(this.#members, (state) => this.#states.push(state));
    if (difference !== null) this.#fail('S21', difference);
    const servers = this.#members.map(({ member }) => member?.server ?? null);
    const wrong = wrongFate(servers, this.#chronicle.txns, this.#history);
    if (wrong !== null) this.#fail('S26', wrong);
  }

  // ------------------------------------------------------------------ time

  async #advance(untilMs: number, isEnough: () => boolean, every = 256): Promise<boolean> {
    const isOver = (): boolean => this.#isOver;
    return await advance(this.#timeline, { untilMs, isEnough, every, isOver });
  }

  // ------------------------------------------------------------------ what servers show

  #onState(member: SimMember, state: RoleName | 'looking'): void {
    this.#trace.note('S', member.name, state);
    if (state === 'leading') this.#excuse(member);
    const server = member.member?.server;
    if (state === 'looking' || server === null || server === undefined) return;
    const { tree } = server;
    if (state === 'leading') this.#chronicle.onLeading(member, tree.lastZxidHigh);
    else this.#chronicle.onLearning(member, zxidOf(tree));
    const own = member.member?.membership.inForce.text;
    if (!showsConfig(tree, own ?? configText(this.#parameters.configs[0]!.ensemble))) {
      this.#fail('S21', `${member.name} does not show clients the configuration`);
    }
    this.#listenTo(member, tree);
    this.#states.push(stateOf(server, member.starts));
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

  /** What it owes when it counts cannot be had from anybody. */
  #excuse({ sid, name }: SimMember): void {
    const [debt] = this.#debts.of(sid);
    if (debt === undefined) return;
    this.#isOver = true;
    this.#trace.note('F', name, 'has lied', 0, 0, () => debt.what);
  }

  #fail(invariant: string, message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#violation = { invariant, message, atMs: this.#timeline.nowMs };
    this.#trace.note('F', 'check', 'violation', 0, 0, () => `${invariant}: ${message}`);
  }

  #result(): RunResult {
    const isMisled = (this.#oracle?.wrong ?? 0) > 0;
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
        ...(this.#front?.hits ?? []),
        ['epochs', this.#chronicle.epochs],
        ['shown without a quorum', this.#history.readOnlyCount],
        ['configurations', this.#operator?.changes ?? 0],
        ['behave as Apache', this.#parameters.apache.size],
        ['ended by a lie', this.#isOver && this.#violation === null && !isMisled ? 1 : 0],
        ['ended by a wrong oracle', isMisled ? 1 : 0],
        ['went on alone', this.#oracle?.taken ?? 0],
        ['taken out by an autopilot', this.#autopilotWatch.takenOut],
        ['let in by an autopilot', this.#autopilotWatch.letIn],
      ]),
    };
  }
}
