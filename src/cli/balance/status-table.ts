/** A balancer's status for people: itself in a few lines, then a table of its servers. */
import type { BalancerStatus, ServerStatus } from '../../balancer/telling/status.js';

const headings = ['server', 'set', 'role', 'sessions', 'lag', 'latency', 'weight', 'zone', 'note'];

export function statusLines(status: BalancerStatus): string[] {
  const { policy, subset, sessions, totals, listeners } = status;
  const followed = policy.rule === policy.name ? '' : ` (now ${policy.rule})`;
  const rule = subset.rule === subset.name ? '' : ` (now ${subset.rule})`;
  const busy = sessions.attaching + sessions.quiescing + sessions.moving;
  return [
    `listens on  ${listeners.map(listenerText).join(', ')}`,
    `policy      ${policy.name}${followed}`,
    `subset      ${subset.name}${rule}, ${subset.scope}${subset.isPanicking ? ', in panic' : ''}`,
    `masking     ${status.mask}`,
    `sessions    ${sessions.open} open, ${busy} attaching or moving, ${status.watches} watches`,
    `so far      ${totals.requests} requests, ${totals.masked} masked failovers, ` +
      `${totals.moves} moves, ${totals.dropped} dropped`,
    '',
    ...tableOf([headings, ...status.servers.map(cellsOf)]),
  ];
}

function listenerText({ address, isTls, isReadOnly }: BalancerStatus['listeners'][number]): string {
  const kinds = [isTls ? 'TLS' : '', isReadOnly ? 'read-only' : ''].filter((kind) => kind !== '');
  return kinds.length === 0 ? address : `${address} (${kinds.join(', ')})`;
}

function cellsOf(server: ServerStatus): string[] {
  const { latencyMs, lag, isHealthy, reason } = server;
  return [
    server.id,
    server.set,
    server.role ?? '-',
    String(server.sessions),
    lag === null ? '-' : String(lag),
    latencyMs === null ? '-' : `${latencyMs.toFixed(1)} ms`,
    String(server.weight),
    server.zone ?? '-',
    isHealthy ? (reason ?? '') : (reason ?? 'not healthy'),
  ];
}

function tableOf(cells: readonly (readonly string[])[]): string[] {
  const widths = headings.map((_, column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  return cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
