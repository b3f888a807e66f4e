/** Runs a shell with commands on its input, and cuts what it prints into what each command printed. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/machine.js';
import { classPath, javaProgramName } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import { writeFileSync } from 'node:fs';

export interface Printed {
  readonly out: readonly string[];
  readonly err: readonly string[];
}

export interface Transcript {
  readonly printed: readonly Printed[];
  /** The events of znodes, in order, wherever they were printed. */
  readonly events: readonly string[];
  readonly exitCode: number | null;
}

export interface Ended {
  readonly out: string;
  readonly err: string;
  readonly exitCode: number | null;
}

export type StartShell = (args: readonly string[], input: string) => Promise<Ended>;

const timeoutMs = 120_000;

async function run(program: string, args: readonly string[], input: string): Promise<Ended> {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, TERM: 'dumb', TZ: 'UTC', ZABRA_HISTORY: '' },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  // who ends before it has read everything closes the pipe
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { out, err, exitCode };
}

/** Apache's; its log is switched off by a configuration in `directory`. */
export async function apacheShell(directory: string): Promise<StartShell> {
  const lib = await oracleJars('3.9.5');
  writeFileSync(
    join(directory, 'logback.xml'),
    '<configuration><root level="OFF"/></configuration>\n',
  );
  const java = [
    ...smallJvm,
    ...['-cp', `${directory}:${classPath(lib)}`],
    'org.apache.zookeeper.ZooKeeperMain',
  ];
  return (args, input) => run(javaProgramName, [...java, ...args], input);
}

export const zabraShell: StartShell = (args, input) =>
  run(join(repositoryRoot, 'bin', 'zkCli.sh'), args, input);

/** Before each command, something that prints one line of its own on either stream. */
const separators = ['printwatches', 'get /separator'];

export async function transcriptOf(
  shell: StartShell,
  options: readonly string[],
  commands: readonly string[],
): Promise<Transcript> {
  const lines = commands.flatMap((command) => [...separators, command]);
  const input = [...lines, ...separators, 'quit', ''].join('\n');
  const { out, err, exitCode } = await shell(options, input);
  const plainOut = out.replace(/\[zk: [^\]]*\] /g, '');
  const outParts = plainOut.split(/^printwatches is (?:on|off)\n/m).slice(1);
  const errParts = err.split(/^Node does not exist: \/separator\n/m).slice(1);
  const printed = commands.map((_, index) => ({
    out: linesOf(outParts[index] ?? ''),
    err: linesOf(errParts[index] ?? ''),
  }));
  const events = [...plainOut.matchAll(eventLine), ...err.matchAll(eventLine)].map(
    ([, event = '']) => event,
  );
  return { printed, events, exitCode };
}

const eventLine = /^WatchedEvent state:SyncConnected type:(Node\w+ path:\S+)/gm;

/** Without events, hints (ours begin with two spaces), and what differs from run to run. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !/^WATCHER::|^WatchedEvent|^ {2}/.test(line))
    .map((line) =>
      line
        .replace(/^((?:c|m)time = ).*/, '$1TIME')
        .replace(/^((?:c|m|p)Zxid = )0x[0-9a-f]+/, '$1ZXID')
        .replace(/0x[0-9a-f]{9,}/g, 'SESSION')
        .replace(/^( {9})/, 'DUMP'),
    );
}
