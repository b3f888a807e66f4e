import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig, type ServerConfig } from '../config/config.js';
import { readMembers, type Members } from '../config/members.js';
import { whyNoAutopilot } from './autopilot-lead.js';
import { readRecord, recordText, type TakenOut } from './autopilot-record.js';
import { Autopilot, type Sight, type Step } from './autopilot.js';

const tickMs = 100;
const deadMs = 1000;
const wallMs = 1_700_000_000_000;

function membersOf(sids: readonly number[], version = 1n): Members {
  const lines = sids.map((sid) => `server.${sid}=10.0.0.${sid}:2888:3888;10.0.0.${sid}:2181`);
  const reading = readMembers(`${lines.join('\n')}\nversion=${version.toString(16)}`);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.members;
}

/** Server 1 leads; what it sees is set by the test, and what the autopilot does comes true at once. */
class Ensemble {
  nowMs = 0;
  members: Members;
  out: readonly TakenOut[] | null = [];
  /** Not here: away. False: connected, and behind. */
  readonly learners = new Map<number, boolean>();
  isReconfiguring = false;
  readonly steps: string[] = [];
  autopilot = new Autopilot({ sid: 1, deadMs, tickMs, nowMs: 0 });
  #version = 1n;

  constructor(voters: number) {
    this.members = membersOf(Array.from({ length: voters }, (_, i) => i + 1));
    for (let sid = 2; sid <= voters; sid++) this.learners.set(sid, true);
  }

  look(): Step | null {
    const { members, isReconfiguring, out } = this;
    const learners = new Map([...this.learners].map(([sid, isUpToDate]) => [sid, { isUpToDate }]));
    const sight: Sight = { members, isReconfiguring, learners, out, wallMs: wallMs + this.nowMs };
    return this.autopilot.look(sight, this.nowMs);
  }

  run(forMs: number): this {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; this.nowMs += tickMs) {
      const step = this.look();
      if (step !== null) this.#carryOut(step);
    }
    return this;
  }

  #carryOut(step: Step): void {
    if (step.kind === 'record') {
      this.out = readRecord(recordText(step.out));
      return;
    }
    const { sid } = step.server.server;
    this.steps.push(`${step.kind} ${sid} at ${this.nowMs}`);
    const sids = [...this.members.servers.keys()].filter((other) => other !== sid);
    if (step.kind === 'letIn') sids.push(sid);
    this.members = membersOf(sids, ++this.#version);
  }
}

test('one of five that stayed away is noted, taken out, and let in again when it is up to date', () => {
  const ensemble = new Ensemble(5).run(1000);
  ensemble.learners.delete(4);
  ensemble.run(deadMs).run(3 * tickMs);
  assert.deepEqual(ensemble.steps, ['takeOut 4 at 2000']);
  assert.equal(ensemble.out?.length, 1);
  assert.equal(ensemble.out[0]?.sinceMs, wallMs + 1900);
  ensemble.run(5000);
  assert.equal(ensemble.steps.length, 1);
  ensemble.learners.set(4, false);
  ensemble.run(1000);
  assert.equal(ensemble.steps.length, 1, 'not before it is up to date');
  ensemble.learners.set(4, true);
  ensemble.run(1000);
  assert.match(ensemble.steps[1] ?? '', /^letIn 4/);
  assert.deepEqual(ensemble.out, [], 'the record is empty again');
  assert.deepEqual([...ensemble.members.servers.keys()].sort(), [1, 2, 3, 4, 5]);
});

test('who was away for less than deadMs stays', () => {
  const ensemble = new Ensemble(5).run(1000);
  for (let i = 0; i < 20; i++) {
    ensemble.learners.delete(4);
    ensemble.run(deadMs - tickMs);
    ensemble.learners.set(4, true);
    ensemble.run(2 * tickMs);
  }
  assert.deepEqual(ensemble.steps, []);
});

test('a new leader counts from its own beginning', () => {
  const ensemble = new Ensemble(5).run(1000);
  ensemble.learners.delete(4);
  ensemble.run(deadMs - 2 * tickMs);
  const { nowMs } = ensemble;
  ensemble.autopilot = new Autopilot({ sid: 1, deadMs, tickMs, nowMs });
  ensemble.run(deadMs);
  assert.deepEqual(ensemble.steps, []);
  ensemble.run(3 * tickMs);
  assert.equal(ensemble.steps.length, 1);
});

test('nothing is done while another voter is away or behind', () => {
  for (const isAway of [true, false]) {
    const ensemble = new Ensemble(5).run(1000);
    ensemble.learners.delete(4);
    if (isAway) ensemble.learners.delete(5);
    else ensemble.learners.set(5, false);
    ensemble.run(10 * deadMs);
    assert.deepEqual(ensemble.steps, []);
    assert.deepEqual(ensemble.out, []);
    assert.match(ensemble.autopilot.state, /server 4(, 5)? is away, and 5 not up to date/);
    ensemble.learners.set(5, true);
    ensemble.run(tickMs);
    assert.deepEqual(ensemble.steps, [], 'it was up to date only now');
    ensemble.run(5 * tickMs);
    assert.match(ensemble.steps.join(), /^takeOut 4/);
  }
});

test('three voters are left, never fewer', () => {
  const three = new Ensemble(3).run(1000);
  three.learners.delete(3);
  three.run(10 * deadMs);
  assert.deepEqual(three.steps, []);
  assert.match(three.autopilot.state, /without it 2 would vote/);
  const four = new Ensemble(4).run(1000);
  four.learners.delete(3);
  four.run(2 * deadMs);
  four.learners.delete(4);
  four.run(10 * deadMs);
  assert.equal(four.steps.length, 1);
});

test('two that died one after the other go one after the other, with a rest in between', () => {
  const ensemble = new Ensemble(5).run(1000);
  ensemble.learners.delete(4);
  ensemble.run(deadMs + 2 * tickMs);
  ensemble.learners.delete(5);
  ensemble.run(3 * deadMs);
  assert.equal(ensemble.steps.length, 2);
  assert.equal(ensemble.out?.length, 2);
});

test('nothing is done while a reconfiguration is under way, and for a while after one', () => {
  const ensemble = new Ensemble(5).run(1000);
  ensemble.learners.delete(4);
  ensemble.isReconfiguring = true;
  ensemble.run(5 * deadMs);
  assert.deepEqual(ensemble.steps, []);
  ensemble.isReconfiguring = false;
  ensemble.members = { ...ensemble.members, version: 77n };
  ensemble.run(4 * tickMs);
  assert.deepEqual(ensemble.steps, []);
  ensemble.run(4 * tickMs);
  assert.equal(ensemble.steps.length, 1);
});

test('one that comes and goes must stay twice as long each time before it counts', () => {
  const ensemble = new Ensemble(5).run(1000);
  const stays: number[] = [];
  for (let i = 0; i < 4; i++) {
    ensemble.learners.delete(4);
    ensemble.run(2 * deadMs);
    ensemble.learners.set(4, true);
    const backMs = ensemble.nowMs;
    while (!ensemble.steps.at(-1)?.startsWith('letIn')) ensemble.run(tickMs);
    stays.push(ensemble.nowMs - backMs);
  }
  assert.deepEqual(stays, [300, 500, 900, 1700]);
});

test('whoever came back before it was taken out is struck from the record', () => {
  const ensemble = new Ensemble(5).run(1000);
  ensemble.learners.delete(4);
  while (ensemble.out?.length === 0) ensemble.run(tickMs);
  ensemble.learners.set(4, true);
  ensemble.run(tickMs);
  assert.deepEqual(ensemble.out, []);
  assert.deepEqual(ensemble.steps, []);
});

test('an observer that is away, and a leader that does not vote, change nothing', () => {
  const ensemble = new Ensemble(4).run(1000);
  const text = 'server.9=10.0.0.9:2888:3888:observer;2181';
  const servers = new Map(ensemble.members.servers);
  const reading = readMembers(text);
  assert.ok(reading.ok);
  for (const server of reading.members.servers.values()) servers.set(server.sid, server);
  ensemble.members = { ...ensemble.members, servers };
  ensemble.run(10 * deadMs);
  assert.deepEqual(ensemble.steps, []);
  const guest = new Ensemble(5);
  guest.autopilot = new Autopilot({ sid: 8, deadMs, tickMs, nowMs: 0 });
  guest.learners.set(1, true);
  guest.learners.delete(4);
  guest.run(10 * deadMs);
  assert.deepEqual(guest.steps, []);
});

test('a step that is refused is tried again later', () => {
  const ensemble = new Ensemble(5).run(1000);
  ensemble.learners.delete(4);
  ensemble.run(deadMs - tickMs);
  const step = ensemble.look();
  assert.equal(step?.kind, 'record');
  ensemble.autopilot.refused('no quorum', ensemble.nowMs);
  assert.equal(ensemble.look(), null);
  ensemble.run(10 * tickMs);
  assert.match(ensemble.steps.join(), /takeOut 4/);
});

test('who was decided about by an operator is not remembered', () => {
  const { autopilot, members } = new Ensemble(5);
  const out = [4, 5].flatMap((sid) => {
    const server = members.servers.get(sid);
    return server === undefined ? [] : [{ server, sinceMs: 7 }];
  });
  assert.deepEqual(
    autopilot.decidedElsewhere(out, new Set([4, 2]))?.map(({ server }) => server.sid),
    [5],
  );
  assert.equal(autopilot.decidedElsewhere(out, new Set([2])), null);
});

test('without a record one is made, before anything else', () => {
  const ensemble = new Ensemble(5);
  ensemble.out = null;
  assert.deepEqual(ensemble.look(), { kind: 'record', out: [] });
});

test('the record is read back as it was written, and what makes no sense is passed over', () => {
  const { members } = new Ensemble(5);
  const out = [...members.servers.values()].map((server) => ({ server, sinceMs: server.sid * 7 }));
  const text = recordText(out);
  assert.match(text, /^server\.1=10\.0\.0\.1:2888:3888:participant;10\.0\.0\.1:2181\nsince\.1=7\n/);
  assert.deepEqual(readRecord(text), out);
  assert.deepEqual(readRecord(`${text}since.9=1\nserver.8=x\nserver.300=a:1:2\nwhat=else`), out);
  assert.deepEqual(readRecord(''), []);
});

test('what keeps an autopilot from being one is said at the start', () => {
  const config = (lines: string): ServerConfig => {
    const servers = [1, 2, 3].map((sid) => `server.${sid}=10.0.0.${sid}:2888:3888`);
    const shared = ['dataDir=/d', 'clientPort=2181', 'initLimit=5', 'syncLimit=2', ...servers];
    const text = [...shared, lines].join('\n');
    const input = { file: 'zoo.cfg', env: {}, properties: new Map<string, string>(), myid: '1' };
    const reading = parseConfig({ text, ...input });
    assert.ok('config' in reading);
    return reading.config;
  };
  const wanted = 'autopilot.deadMs=60000\n';
  assert.equal(config(wanted).autopilotDeadMs, 60_000);
  assert.equal(whyNoAutopilot(config('')), null);
  assert.equal(whyNoAutopilot(config(`${wanted}reconfigEnabled=true`)), null);
  assert.match(whyNoAutopilot(config(wanted)) ?? '', /: reconfigEnabled is not true$/);
  const groups = 'group.1=1:2:3\nreconfigEnabled=true';
  assert.match(whyNoAutopilot(config(wanted + groups)) ?? '', /: there are groups$/);
});
