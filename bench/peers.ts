/**
 * Who is compared: Apache ZooKeeper as its own script starts it, and this repository's server. Each
 * is a command that takes the path of a zoo.cfg; the settings in that file are the same for both.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, MissingError, repositoryRoot, run } from '../test/support/machine.js';
import { classPath } from '../test/support/maven.js';
import { logbackToStdout, oracleJars } from '../test/support/oracle.js';
import type { BenchOptions } from './options.js';

export interface Peer {
  readonly id: 'apache' | 'zabra';
  readonly title: string;
  /** Load that it gets before anything is measured. */
  readonly warmSeconds: number;
  command(configFile: string, workDir: string): readonly string[];
  /** Environment that makes the server report on its event loop; null where it has none. */
  readonly loopProbe: ((outputFile: string) => Readonly<Record<string, string>>) | null;
  /** Makes the process give back what memory it can do without; null where that is unknown. */
  readonly collect: ((pid: number) => Promise<void>) | null;
}

export interface Peers {
  readonly present: readonly Peer[];
  /** Sentences on who is not run, and why. */
  readonly missing: readonly string[];
}

export const apacheVersion = '3.9.5';

async function findApache(options: BenchOptions): Promise<Peer | string> {
  const title = `Apache ZooKeeper ${apacheVersion}`;
  if (!(await hasProgram('java', '-version'))) return `${title} is not run: there is no java here`;
  let lib: string;
  try {
    lib = await oracleJars(apacheVersion);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    return `${title} is not run: ${error.message}`;
  }
  const canCollect = await hasProgram('jcmd', '-h');
  return {
    id: 'apache',
    title,
    warmSeconds: options.scale.jvmWarmSeconds,
    command(configFile, workDir) {
      writeFileSync(join(workDir, 'logback.xml'), logbackToStdout);
      const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
      return ['java', '-Xmx1g', '-cp', classPath(lib, workDir), main, configFile];
    },
    loopProbe: null,
    collect: !canCollect
      ? null
      : async (pid) => {
          await run('jcmd', [String(pid), 'GC.run']);
        },
  };
}

function findZabra(options: BenchOptions): Peer | string {
  const program = join(repositoryRoot, 'bin', 'zabra');
  const probe = new URL('./loop-probe.js', import.meta.url).href;
  if (options.zabraCommand === null && !existsSync(program)) {
    return 'Zabra is not run: bin/zabra is not there';
  }
  const command = options.zabraCommand ?? [process.execPath, program, 'server'];
  return {
    id: 'zabra',
    title: 'Zabra',
    warmSeconds: options.scale.nodeWarmSeconds,
    command: (configFile) => [...command, configFile],
    loopProbe: (outputFile) => ({
      NODE_OPTIONS: `--import=${probe}`,
      ZABRA_BENCH_LOOP_PROBE: outputFile,
    }),
    collect: null,
  };
}

export async function findPeers(options: BenchOptions): Promise<Peers> {
  const found = [await findApache(options), findZabra(options)];
  return {
    present: found.filter((one) => typeof one !== 'string'),
    missing: found.filter((one) => typeof one === 'string'),
  };
}
