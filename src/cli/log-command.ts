/**
 * `zabra log`: prints a transaction log, mends its checksums into a copy, cuts a copy at a zxid. With
 * the options, the lines and the exit codes of Apache's zkTxnLogToolkit.sh.
 */
import { NodeDisk } from '../node/disk.js';
import { javaTimeText } from '../node/java-time-text.js';
import { MalformedError } from '../protocol/reader.js';
import { javaDecodeLong } from '../storage/tools/java-text.js';
import { ToolError } from '../storage/tools/tool-error.js';
import { chopLog, dumpLog, repairLog } from '../storage/tools/txn-log.js';
import { parseArguments, UsageError } from './arguments.js';
import type { Arguments } from './arguments.js';
import { exitCodes, linePrinter, readLine } from './terminal.js';
import type { Terminal } from './terminal.js';

export const logUsage = `usage: zabra log [-dhrvc] <txn_log_file_name> (-z <zxid>)
 -c,--chop         Chop mode: writes <file>.chopped<zxid>, which ends with that transaction.
 -d,--dump         Dump mode: prints every transaction (default)
 -h,--help         Print help message
 -r,--recover      Recovery mode: writes <file>.fixed, with checksums of broken entries mended.
 -v,--verbose      In recovery mode: print all entries, not just fixed ones.
 -y,--yes          In recovery mode: mend all without asking
 -z,--zxid <arg>   Used with chop. Zxid to which to chop.`;

export function runLogCommand(argv: readonly string[], terminal: Terminal): number {
  const printer = linePrinter(terminal);
  try {
    const args = parseArguments(argv, {
      values: ['zxid|z'],
      flags: ['chop|c', 'dump|d', 'recover|r', 'verbose|v', 'yes|y'],
      positionals: 1,
    });
    const [path] = args.positionals;
    if (path === undefined) throw new UsageError('the name of a log file is missing');
    for (const line of linesFor(path, args, terminal, () => printer.flush())) {
      printer.print(line.endsWith('\n') ? line : `${line}\n`);
    }
    return exitCodes.finished;
  } catch (error) {
    printer.flush();
    if (error instanceof ToolError) {
      terminal.complain(error.message);
      return error.exitCode;
    }
    if (error instanceof MalformedError) {
      terminal.complain(`a transaction cannot be read: ${error.message}`);
      return exitCodes.unexpected;
    }
    if (!(error instanceof UsageError)) throw error;
    terminal.complain(`${error.message}\n`);
    terminal.complain(logUsage);
    return exitCodes.unexpected;
  } finally {
    printer.flush();
  }
}

function linesFor(
  path: string,
  args: Arguments,
  terminal: Terminal,
  flush: () => void,
): Iterable<string> {
  const disk = new NodeDisk();
  const zxidText = args.values.get('zxid');
  if (args.flags.has('chop') && zxidText !== undefined) {
    const zxid = javaDecodeLong(zxidText);
    if (zxid === null) throw new UsageError(`'${zxidText}' is not a zxid`);
    if (zxid >= 0n) return chopLog(disk, path, zxid);
  }
  if (!args.flags.has('recover')) return dumpLog(disk, path, javaTimeText);
  const verbose = args.flags.has('verbose');
  if (args.flags.has('yes')) return repairLog(disk, path, javaTimeText, { verbose, ask: null });
  return asking(disk, path, verbose, terminal, flush);
}

/** The question shows the line that it is about; it is not printed a second time after it. */
function* asking(
  disk: NodeDisk,
  path: string,
  verbose: boolean,
  terminal: Terminal,
  flush: () => void,
): Generator<string> {
  const shown: string[] = [];
  const ask = (line: string): 'yes' | 'no' | 'abort' => {
    flush();
    terminal.print(line.endsWith('\n') ? line : `${line}\n`);
    shown.push(line);
    for (;;) {
      terminal.print('Would you like to fix it (Yes/No/Abort) ? ');
      const answer = readLine(terminal)?.trim().charAt(0).toUpperCase();
      if (answer === 'Y') return 'yes';
      if (answer === 'N') return 'no';
      if (answer === 'A' || answer === undefined) return 'abort';
    }
  };
  for (const line of repairLog(disk, path, javaTimeText, { verbose, ask })) {
    if (line === shown[0]) shown.shift();
    else yield line;
  }
}
