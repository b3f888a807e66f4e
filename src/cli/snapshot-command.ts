/**
 * `zabra snapshot`: prints what is in a snapshot. With the options, the lines and the exit codes of
 * Apache's zkSnapShotToolkit.sh.
 */
import { statSync } from 'node:fs';
import { nodeClock } from '../node/clock.js';
import { nodeCompression } from '../node/compression.js';
import { NodeDisk } from '../node/disk.js';
import { javaTimeText } from '../node/java-time-text.js';
import { formatSnapshot, formatSnapshotJson } from '../storage/tools/snapshot.js';
import { ToolError } from '../storage/tools/tool-error.js';
import { exitCodes, linePrinter } from './terminal.js';
import type { Terminal } from './terminal.js';

export const snapshotUsage = `USAGE: zabra snapshot [-d|-json] snapshot_file
       -d dump the data for each znode
       -json dump znode info in json format`;

export async function runSnapshotCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const [path, ...surplus] = argv.filter((arg) => arg !== '-d' && arg !== '-json');
  const [withData, asJson] = [argv.includes('-d'), argv.includes('-json')];
  if (path === undefined || surplus.length > 0 || path.startsWith('-')) {
    return refused(terminal, snapshotUsage);
  }
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind === undefined) return refused(terminal, `File '${path}' does not exist.`);
  if (!kind.isFile()) return refused(terminal, `'${path}' is not a file.`);
  if (withData && asJson) {
    const message = 'Cannot specify both data dump (-d) and json mode (-json) in same call';
    return refused(terminal, message);
  }
  const parts = { disk: new NodeDisk(), compression: nodeCompression, clock: nodeClock, path };
  const printer = linePrinter(terminal);
  try {
    if (asJson) {
      for await (const piece of formatSnapshotJson(parts)) printer.print(piece);
    } else {
      for await (const line of formatSnapshot(parts, javaTimeText, withData)) {
        printer.print(`${line}\n`);
      }
    }
    return exitCodes.finished;
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    printer.flush();
    terminal.complain(error.message);
    return error.exitCode;
  } finally {
    printer.flush();
  }
}

function refused(terminal: Terminal, message: string): number {
  terminal.complain(message);
  return exitCodes.invalidInvocation;
}
