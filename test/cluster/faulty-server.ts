/**
 * `zabra server` on a disk that a test commands: the same program, with another disk below it. Its
 * arguments are those of the server, behind the file that faults come in.
 */
import { join } from 'node:path';
import { repositoryRoot } from '../support/machine.js';
import { FaultControl } from './disk-fault.js';
import { FaultyDisk } from './faulty-disk.js';

type CommandModule = typeof import('../../src/cli/server-command.js');
type TerminalModule = typeof import('../../src/cli/terminal.js');
type WorldModule = typeof import('../../src/node/world.js');
type WatchdogModule = typeof import('../../src/node/flush-watchdog.js');
type MemberModule = typeof import('../../src/server/ensemble/member.js');
type DiskModule = typeof import('../../src/ports/disk.js');

const part = async <T>(path: string): Promise<T> =>
  (await import(join(repositoryRoot, 'dist', `${path}.js`))) as T;

const { runServerCommand } = await part<CommandModule>('cli/server-command');
const { processTerminal } = await part<TerminalModule>('cli/terminal');
const { nodeWorld } = await part<WorldModule>('node/world');
const { FlushWatchdog } = await part<WatchdogModule>('node/flush-watchdog');
const { Member } = await part<MemberModule>('server/ensemble/member');
const { DiskError } = await part<DiskModule>('ports/disk');

const [faultFile = '', ...argv] = process.argv.slice(2);
const control = new FaultControl(faultFile);

process.exitCode = await runServerCommand(argv, {
  ...processTerminal,
  async startServer(config, { logger }) {
    const watch = new FlushWatchdog(config.fsyncHangLimitMs);
    const world = nodeWorld(logger, watch);
    const disk = new FaultyDisk({ disk: world.disk, control, errors: DiskError, watch });
    const member = await Member.start(config, { ...world, disk });
    const { host, port: clientPort } = member.address;
    return { host, clientPort, stop: () => member.stop() };
  },
});
