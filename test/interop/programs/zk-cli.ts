/**
 * zkCli 3.9.5 with a list of commands on its input, against the target and against Apache's server:
 * what it prints must be the same, but for times, session ids and ports.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../support/machine.js';
import { classPath, javaProgramName } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import type { Program } from '../program.js';

const commands = [
  'create /cli hello',
  'get /cli',
  'get -s /cli',
  'stat /cli',
  'set /cli world',
  'set /cli stale -v 0',
  'set /cli fresh -s -v 1',
  'create -s /cli/s- one',
  'create -s /cli/s- two',
  'create -e /cli/e mine',
  'create -c /cli/c',
  'create -t 100000 /cli/t',
  'create -e /cli/e again',
  'create /no/such x',
  'ls /cli',
  'ls -s /cli',
  'ls -R /cli',
  'getAllChildrenNumber /cli',
  'getEphemerals /cli',
  'getAcl /cli',
  'getAcl -s /cli',
  'setAcl /cli world:anyone:cdrw',
  'getAcl /cli',
  'setAcl /cli world:anyone:cdrwa',
  'addauth digest bob:secret',
  'whoami',
  'create /cli/acl x auth::cdrwa',
  'getAcl /cli/acl',
  'get -w /cli',
  'set /cli watched',
  'addWatch -m PERSISTENT_RECURSIVE /cli',
  'create /cli/below x',
  'removewatches /cli',
  'sync /cli',
  'create /quota x',
  'setquota -n 3 /quota',
  'listquota /quota',
  'setquota -N 5 /quota',
  'setquota -B 100 /quota',
  'listquota /quota',
  'delquota /quota',
  'listquota /quota',
  'delete /cli',
  'delete -v 7 /cli/below',
  'delete /cli/below',
  'deleteall /cli',
  'ls /',
  'ls /zookeeper',
  'stat /',
  'get /no',
  'config',
  'reconfig -remove 1',
  'version',
  'nonsense',
];

/** Prints one line that no other command prints: stands between the outputs of two commands. */
const separator = 'printwatches';

/** What zkCli printed for each command, standard output and error together as they came. */
async function transcript(lib: string, server: ServerProcess): Promise<string[][]> {
  const directory = temporaryDirectory('zkcli');
  const file = join(directory, 'output');
  const output = openSync(file, 'w');
  const child = spawn(
    javaProgramName,
    [
      ...smallJvm,
      ...['-cp', classPath(lib)],
      ...['org.apache.zookeeper.ZooKeeperMain', '-waitforconnection'],
      ...['-server', `127.0.0.1:${server.port}`],
    ],
    { stdio: ['pipe', output, output], env: { ...process.env, TERM: 'dumb' } },
  );
  closeSync(output);
  const input = commands.flatMap((command) => [command, separator]);
  child.stdin?.end(`${separator}\n${input.join('\n')}\nquit\n`);
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const text = readFileSync(file, 'utf8');
  rmSync(directory, { recursive: true, force: true });
  return text.split(/printwatches is on\n/).map((part) => part.split('\n'));
}

/** Without what differs from run to run: times, ids, ports, prompts, the client's log. */
function masked(lines: readonly string[], server: ServerProcess): string[] {
  return lines
    .map((line) =>
      line
        .replace(/\[zk: [^\]]*\] ?/g, '')
        .replaceAll(String(server.port), 'PORT')
        .replace(/^((?:c|m)time = ).*/, '$1TIME')
        .replace(/0x[0-9a-f]{9,}/g, 'SESSION'),
    )
    .filter((line) => !/^$|^\tat |^\d\d:\d\d|^WATCHER::|jline|^WatchedEvent/.test(line));
}

/** The events come on a thread of their own, anywhere between the lines. */
function eventsIn(parts: readonly (readonly string[])[]): string[] {
  return parts.flat().filter((line) => /^WatchedEvent state:SyncConnected type:Node/.test(line));
}

export const zkCliProgram: Program = {
  name: 'zkcli',
  takesEnsembles: false,
  about: "Apache's zkCli 3.9.5: its output is the one that it has with Apache's server",
  async run(interop) {
    const lib = await oracleJars('3.9.5');
    const options = { properties: { 'zookeeper.extendedTypesEnabled': 'true' } };
    const reference = await interop.startApache(options);
    const server = await interop.start(options);
    const expected = await transcript(lib, reference);
    const seen = await transcript(lib, server);
    for (const [index, command] of commands.entries()) {
      const wantedLines = masked(expected[index + 1] ?? [], reference);
      const printedLines = masked(seen[index + 1] ?? [], server);
      if (command === 'whoami') {
        // a set of identities: no order is promised
        wantedLines.sort();
        printedLines.sort();
      }
      const wanted = wantedLines.join('\n');
      const printed = printedLines.join('\n');
      if (wanted === printed) interop.passed(command);
      else interop.failed(command, `expected\n${wanted}\nsaw\n${printed}`);
    }
    const wanted = eventsIn(expected).join('\n');
    const heard = eventsIn(seen).join('\n');
    if (wanted === heard && wanted !== '') interop.passed('the events');
    else interop.failed('the events', `expected\n${wanted}\nsaw\n${heard}`);
  },
};
