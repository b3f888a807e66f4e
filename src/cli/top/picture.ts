/** The ensemble as lines: a sentence on how it stands, its servers, the sessions that ask the most. */
import type { ServerSight, SessionSight } from './sight.js';

export interface Picture {
  readonly servers: readonly ServerRow[];
  readonly sessions: readonly SessionRow[];
  /** Null: not known, as of a server that stands alone. */
  readonly voters: number | null;
}

export interface ServerRow {
  readonly sight: ServerSight;
  /** Null: there is nothing to compare with yet. */
  readonly perSecond: number | null;
}

export interface SessionRow {
  readonly sight: SessionSight;
  readonly server: string;
  readonly perSecond: number | null;
}

/** What came in between two looks, `elapsedMs` apart. */
export function pictureOf(
  now: readonly ServerSight[],
  before: readonly ServerSight[] | null,
  elapsedMs: number,
  voters: number | null,
): Picture {
  const rate = (received: number, earlier: number | undefined): number | null =>
    earlier === undefined || received < earlier
      ? null
      : ((received - earlier) * 1000) / Math.max(1, elapsedMs);
  const servers = now.map((sight, index) => {
    const earlier = before?.[index];
    const isSame = earlier !== undefined && earlier.role !== 'silent';
    return { sight, perSecond: rate(sight.received, isSame ? earlier.received : undefined) };
  });
  const counted = new Map<string, number>();
  for (const { sessions } of before ?? []) {
    for (const { id, client, received } of sessions) counted.set(`${id} ${client}`, received);
  }
  const sessions = now.flatMap(({ address, sessions: own }) =>
    own.map((sight) => ({
      sight,
      server: `${address.host}:${address.port}`,
      perSecond: rate(sight.received, counted.get(`${sight.id} ${sight.client}`)),
    })),
  );
  sessions.sort(
    (one, other) =>
      (other.perSecond ?? 0) - (one.perSecond ?? 0) || other.sight.received - one.sight.received,
  );
  return { servers, sessions, voters };
}

export function pictureLines(
  { servers, sessions, voters }: Picture,
  sessionsMax: number,
): string[] {
  const shown = sessions.slice(0, sessionsMax);
  const more = sessions.length - shown.length;
  return [
    summaryOf(servers, voters),
    '',
    ...table(serverHeadings, servers.map(serverCells(servers))),
    ...(shown.length > 0 ? ['', ...table(sessionHeadings, shown.map(sessionCells))] : []),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...servers.flatMap(behindLines),
    ...notesOf(servers),
  ];
}

const answering = (row: ServerRow): boolean => !/^(silent|looking|\?)$/.test(row.sight.role);

function summaryOf(servers: readonly ServerRow[], voters: number | null): string {
  const serving = servers.filter(answering);
  const [first] = serving;
  if (first === undefined) return `none of ${servers.length} serves`;
  const znodes = Math.max(...serving.map(({ sight }) => sight.znodes));
  const perSecond = serving.reduce((sum, row) => sum + (row.perSecond ?? 0), 0);
  const figures = `${znodes} znodes, ${Math.round(perSecond)} requests/s`;
  if (voters === null) return `${first.sight.role}: ${figures}`;
  if (servers.length < voters) {
    return `${serving.length} of ${servers.length} serve, of an ensemble of ${voters} voters; ${figures}`;
  }
  const quorum = Math.floor(voters / 2) + 1;
  const up = serving.filter(({ sight }) => /^(leader|follower)$/.test(sight.role)).length;
  const spare = up - quorum;
  const survives =
    spare > 0
      ? `${spare} more may fail`
      : spare === 0
        ? 'none may fail now'
        : 'there is no quorum that answers';
  return `${up} of ${voters} voters serve, a quorum is ${quorum}: ${survives}; ${figures}`;
}

const serverHeadings = [
  ...['server', 'role', 'zxid', 'lag', 'clients', 'req/s', 'latency', 'waiting', 'watches'],
];

function serverCells(all: readonly ServerRow[]): (row: ServerRow) => string[] {
  const newest = all.reduce<bigint>((zxid, { sight }) => {
    return sight.zxid !== null && sight.zxid > zxid ? sight.zxid : zxid;
  }, 0n);
  return (row) => {
    const { sight } = row;
    const place = `${sight.address.host}:${sight.address.port}`;
    if (!answering(row)) return [place, sight.role];
    const { zxid, latencyMs } = sight;
    const lag =
      zxid === null ? '-' : zxid >> 32n === newest >> 32n ? String(newest - zxid) : 'epoch';
    return [
      place,
      sight.role,
      zxid === null ? '-' : `0x${zxid.toString(16)}`,
      lag,
      String(sight.connections),
      rateText(row.perSecond),
      latencyMs === null ? '-' : `${latencyMs.average}/${latencyMs.max} ms`,
      String(sight.outstanding),
      sight.watches === null ? '-' : String(sight.watches),
    ];
  };
}

const sessionHeadings = [
  'session',
  'client',
  'at',
  'req/s',
  'last',
  'latency',
  'waiting',
  'timeout',
];

function sessionCells({ sight, server, perSecond }: SessionRow): string[] {
  const { average, max } = sight.latencyMs;
  return [
    sight.id,
    sight.client,
    server,
    rateText(perSecond),
    sight.lastOperation,
    `${average}/${max} ms`,
    String(sight.outstanding),
    `${sight.timeoutMs} ms`,
  ];
}

function rateText(perSecond: number | null): string {
  if (perSecond === null) return '-';
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

function behindLines({ sight: { address, behind } }: ServerRow): string[] {
  if (behind.length === 0) return [];
  return ['', `behind ${address.host}:${address.port}`, ...behind.map((line) => `  ${line}`)];
}

function notesOf(servers: readonly ServerRow[]): string[] {
  const withoutWords = servers.filter(({ sight }) => sight.refused.length > 0);
  return withoutWords.map(
    ({ sight: { address, refused } }) =>
      `${address.host}:${address.port} does not answer ${refused.join(', ')}: ` +
      `4lw.commands.whitelist does not name ${refused.length === 1 ? 'it' : 'them'}, ` +
      'and its AdminServer is not at --admin-port',
  );
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function pictureJson({ servers, sessions, voters }: Picture): Record<string, unknown> {
  return {
    time: new Date().toISOString(),
    voters,
    servers: servers.map(({ sight, perSecond }) => {
      const { address, zxid, role, version, received, connections, outstanding, znodes } = sight;
      const { watches, latencyMs, refused } = sight;
      return {
        ...address,
        ...{ role, version, received, connections, outstanding, znodes, watches, latencyMs },
        refused,
        zxid: zxid === null ? null : `0x${zxid.toString(16)}`,
        perSecond,
      };
    }),
    sessions: sessions.map(({ sight, server, perSecond }) => {
      const { lastZxid, ...rest } = sight;
      return { ...rest, lastZxid: `0x${lastZxid.toString(16)}`, server, perSecond };
    }),
  };
}
