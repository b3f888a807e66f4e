/** The examination and what was found, for a person and for a program. */
import {
  figure,
  nameOf,
  placeText,
  redundancyOf,
  type Examination,
  type ServerSight,
} from './examination.js';
import type { Diagnosis } from './fault.js';

const headings = ['server', 'role', 'version', 'zxid', 'connections', 'latency'];
const INDENT = '          ';

export function reportText(
  examination: Examination,
  found: readonly Diagnosis[],
  faultCount: number,
  columns: number,
): string {
  const lines = [summaryOf(examination), ''];
  const cells = [headings, ...examination.servers.map(cellsOf)];
  const widths = headings.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  for (const line of cells) {
    const padded = line.map((cell, i) => cell.padEnd(widths[i] ?? 0));
    lines.push(`  ${padded.join('  ').trimEnd()}`);
  }
  lines.push('');
  for (const { severity, fault, where, seen, advice } of found) {
    const who = where === null ? '' : `${where}: `;
    lines.push(`${severity.padEnd(INDENT.length - 2)}  ${fault}`);
    lines.push(...wrapped(`${who}${seen}`, columns), ...wrapped(advice, columns), '');
  }
  lines.push(
    found.length === 0
      ? `${faultCount} faults looked for, none found`
      : `${faultCount} faults looked for, ${found.length} found`,
  );
  return `${lines.join('\n')}\n`;
}

export function reportJson(examination: Examination, found: readonly Diagnosis[]): string {
  const { servers } = examination;
  const document = {
    redundancy: redundancyOf(examination),
    servers: servers.map((server) => ({
      address: placeText(server.place),
      id: server.sid,
      health: server.health,
      mode: server.mode,
      version: server.version,
      zxid: server.zxid === null ? null : `0x${server.zxid.toString(16)}`,
    })),
    found,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** n, the quorum, and how much more may be lost. */
function summaryOf(examination: Examination): string {
  const redundancy = redundancyOf(examination);
  if (redundancy === null) {
    const alone = examination.servers.some(({ mode }) => mode === 'standalone');
    return alone
      ? '1 server, alone: it may not fail'
      : 'nobody told who belongs to the ensemble: name its servers';
  }
  const { voters, quorum, serving, spare, unknown } = redundancy;
  const observers = (examination.members?.servers.size ?? voters) - voters;
  const watched = observers === 0 ? '' : ` and ${observers} observers`;
  const unseen = unknown === 0 ? '' : `, ${unknown} were not asked`;
  const more =
    unknown > 0
      ? 'name them to hear how many may fail'
      : spare < 0
        ? 'nothing can be written'
        : spare === 0
          ? 'none may fail'
          : `${spare} more may fail, whichever`;
  return `${voters} voters${watched}, a quorum is ${quorum}, ${serving} serve${unseen}: ${more}`;
}

function cellsOf(server: ServerSight): string[] {
  const { health, mode, version, zxid } = server;
  const latency = figure(server, 'avg_latency');
  return [
    nameOf(server),
    health === 'serving' ? (mode ?? '') : health,
    version ?? '-',
    zxid === null ? '-' : `0x${zxid.toString(16)}`,
    String(figure(server, 'num_alive_connections') ?? '-'),
    latency === null ? '-' : `${latency} ms`,
  ];
}

function wrapped(text: string, columns: number): string[] {
  const width = Math.max(40, columns - INDENT.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(INDENT + line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, INDENT + line];
}
