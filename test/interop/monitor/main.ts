/**
 * `node build/test/interop/monitor/main.js [--verbose]`: what monitors see of an ensemble. Three voters
 * and an observer of Apache's and as many of ours run side by side under the same load; every
 * four-letter word and every command of the AdminServer is asked of the leader, a follower, the
 * observer, of a follower and the observer that have lost the others, of a follower that goes on for
 * read-only clients then, and of an observer and the follower that it learns from. Keys, layout and types must be the same, but for what `differences.ts`
 * lists with its reasons.
 */
import { parseArgs } from 'node:util';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { Tally } from '../ensemble/tally.js';
import { isDeliberate, leftUncounted } from './differences.js';
import { MonitoredEnsemble, sidOf, type Role } from './ensemble.js';
import { difference, keysOf, shapeOfJson, shapeOfText } from './shape.js';

type Subject =
  | Role
  | `${Role} that looks`
  | 'follower that reads only'
  | 'follower with an observer'
  | 'observer of a follower';

const words = [
  ...['conf', 'cons', 'dirs', 'dump', 'envi', 'gtmk', 'hash', 'isro', 'mntr', 'ruok', 'srvr'],
  ...['stat', 'wchc', 'wchp', 'wchs', 'crst', 'srst'],
] as const;

const commands = [
  ...['configuration', 'connections', 'dirs', 'dump', 'environment', 'get_trace_mask', 'hash'],
  ...['initial_configuration', 'is_read_only', 'last_snapshot', 'leader', 'monitor', 'observers'],
  ...['ruok', 'server_stats', 'set_trace_mask', 'snapshot', 'stats', 'system_properties'],
  ...['voting_view', 'watch_summary', 'watches', 'watches_by_path', 'zabstate'],
  ...['connection_stat_reset', 'observer_connection_stat_reset', 'stat_reset', 'nosuch'],
] as const;

interface Answers {
  readonly words: ReadonlyMap<string, string>;
  readonly commands: ReadonlyMap<string, { readonly status: number; readonly json: unknown }>;
}

async function ask(ensemble: MonitoredEnsemble, sid: number): Promise<Answers> {
  const texts = new Map<string, string>();
  for (const word of words) texts.set(word, await ensemble.word(sid, word));
  const answers = new Map<string, { status: number; json: unknown }>();
  for (const command of commands) {
    const { status, text } = await ensemble.admin(sid, command);
    answers.set(command, { status, json: text.startsWith('{') ? JSON.parse(text) : text });
  }
  return { words: texts, commands: answers };
}

async function askAll(kind: 'apache' | 'zabra'): Promise<Map<Subject, Answers>> {
  const ensemble = await MonitoredEnsemble.start(kind);
  try {
    await ensemble.keepBusy();
    const all = new Map<Subject, Answers>();
    for (const role of ['leader', 'follower', 'observer'] as const) {
      all.set(role, await ask(ensemble, sidOf[role]));
    }
    await ensemble.end(2, sidOf.leader);
    for (const role of ['follower', 'observer'] as const) {
      await ensemble.untilSrvrShows(sidOf[role], 'not currently serving');
      all.set(`${role} that looks`, await ask(ensemble, sidOf[role]));
    }
    return all;
  } finally {
    await ensemble.dispose();
  }
}

async function askReadOnly(kind: 'apache' | 'zabra'): Promise<Answers> {
  const ensemble = await MonitoredEnsemble.start(kind, {
    properties: { 'readonlymode.enabled': 'true' },
  });
  try {
    await ensemble.end(2, sidOf.leader);
    await ensemble.untilSrvrShows(sidOf.follower, 'Mode: read-only');
    return await ask(ensemble, sidOf.follower);
  } finally {
    await ensemble.dispose();
  }
}

async function askMaster(kind: 'apache' | 'zabra'): Promise<[Answers, Answers]> {
  const ensemble = await MonitoredEnsemble.start(kind, { hasMaster: true });
  try {
    await ensemble.keepBusy();
    const master = await ask(ensemble, sidOf.follower);
    return [master, await ask(ensemble, sidOf.observer)];
  } finally {
    await ensemble.dispose();
  }
}

function compareWords(theirs: Answers, ours: Answers, subject: Subject, tally: Tally): void {
  for (const word of words) {
    const [their, our] = [theirs.words.get(word) ?? '', ours.words.get(word) ?? ''];
    const shapeOf = word === 'mntr' || word === 'dump' ? keysOf : shapeOfText;
    const found = difference(shapeOf(their), shapeOf(our));
    tally.none(
      `${word} of the ${subject}`,
      found.filter((line) => !isDeliberate(word, line)),
    );
  }
}

function compareCommands(theirs: Answers, ours: Answers, subject: Subject, tally: Tally): void {
  for (const command of commands) {
    const [their, our] = [theirs.commands.get(command), ours.commands.get(command)];
    const shapeOf = (answer: typeof their): string[] => [
      `status ${answer?.status ?? 0}`,
      ...(typeof answer?.json === 'string' ? ['text'] : shapeOfJson(answer?.json)),
    ];
    const found = difference(shapeOf(their), shapeOf(our));
    tally.none(
      `${command} of the ${subject}`,
      found.filter((line) => !isDeliberate(command, line)),
    );
  }
}

/** What has no other value on a server in the same place. */
const same = [
  ...['zk_server_state', 'zk_peer_state', 'zk_quorum_size'],
  ...[
    'zk_learners',
    'zk_synced_followers',
    'zk_synced_observers',
    'zk_synced_non_voting_followers',
  ],
  ...['zk_znode_count', 'zk_ephemerals_count', 'zk_global_sessions', 'zk_watch_count'],
  ...['zk_max_proposal_size', 'zk_min_proposal_size', 'zk_approximate_data_size'],
];

/** What Apache counts under this load must be counted here, and what must be the same is. */
function compareCounted(theirs: Answers, ours: Answers, subject: Subject, tally: Tally): void {
  const shown = (answers: Answers): Map<string, string> => {
    const lines = (answers.words.get('mntr') ?? '').split('\n').map((line) => line.split('\t'));
    return new Map(lines.map(([key = '', value = '']) => [key, value]));
  };
  const [their, our] = [shown(theirs), shown(ours)];
  for (const key of same) tally.check(`${key} of the ${subject}`, our.get(key), their.get(key));
  const zeros: string[] = [];
  for (const [key, text] of their) {
    const value = Number(text);
    // averages and percentiles of short times are zero for good reasons: how often is what counts
    if (!(value > 0) || /^zk_(avg|min|max|sum|p\d+)_/.test(key)) continue;
    if (our.get(key) === '0' && !leftUncounted(key)) zeros.push(`${key}: ${value} there, 0 here`);
  }
  tally.none(`figures of the ${subject} that Apache counts`, zeros);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { verbose: { type: 'boolean' } } });
  const tally = new Tally();
  tally.begin('monitor');
  let skipped = 0;
  try {
    await requireJava();
    const theirs = await askAll('apache');
    const ours = await askAll('zabra');
    theirs.set('follower that reads only', await askReadOnly('apache'));
    ours.set('follower that reads only', await askReadOnly('zabra'));
    for (const [kind, answers] of [
      ['apache', theirs],
      ['zabra', ours],
    ] as const) {
      const [master, observer] = await askMaster(kind);
      answers.set('follower with an observer', master);
      answers.set('observer of a follower', observer);
    }
    for (const [subject, their] of theirs) {
      const our = ours.get(subject);
      if (our === undefined) throw new Error(`nobody asked our ${subject}`);
      const before = tally.passed;
      compareWords(their, our, subject, tally);
      compareCommands(their, our, subject, tally);
      if (!/looks|reads only/.test(subject)) compareCounted(their, our, subject, tally);
      if (values.verbose === true) console.log(`${subject}: ${tally.passed - before} checks`);
    }
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    skipped++;
    console.log(`skip: ${error.message}`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
