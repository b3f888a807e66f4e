/**
 * Figures out of other programs' mouths: the JSON lines of the load programs, /proc, the names of
 * files in a data directory. Each reader takes exactly what it knows and throws on anything else: a
 * benchmark must not go on with a zero that was a misunderstanding.
 */

function objectOf(text: string): Readonly<Record<string, unknown>> {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`no figures in ${text}`);
  return parsed as Record<string, unknown>;
}

/** The numbers of these names in a line of JSON; throws where one is missing. */
export function parseFigures<Key extends string>(
  text: string,
  keys: readonly Key[],
): Readonly<Record<Key, number>> {
  const object = objectOf(text);
  const entries = keys.map((key) => {
    const value = object[key];
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new Error(`no ${key} in ${text.trim()}`);
    }
    return [key, value] as const;
  });
  return Object.fromEntries(entries) as Record<Key, number>;
}

const loadKeys = [
  ...(['operations', 'seconds', 'opsPerSecond', 'p50Us', 'p90Us', 'p99Us', 'p999Us'] as const),
  ...(['maxUs', 'serverCpuUs', 'clientCpuUs', 'errors', 'disconnects'] as const),
] as const;

/** What zkload prints. */
export type LoadFigures = Readonly<Record<(typeof loadKeys)[number], number>>;

export function parseLoadFigures(text: string): LoadFigures {
  return parseFigures(text, loadKeys);
}

/** What zkfanout prints. */
export interface FanoutFigures {
  readonly sessions: number;
  readonly openMs: number;
  readonly serverCpuUs: number;
  readonly lastEventMs: readonly number[];
}

export function parseFanoutFigures(text: string): FanoutFigures {
  const { lastEventMs } = objectOf(text);
  const isNumbers = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number');
  if (!isNumbers(lastEventMs)) throw new Error(`no lastEventMs in ${text.trim()}`);
  return { ...parseFigures(text, ['sessions', 'openMs', 'serverCpuUs']), lastEventMs };
}

/** Resident bytes, from the text of /proc/<pid>/status. */
export function parseResidentBytes(status: string): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match?.[1] === undefined) throw new Error('no VmRSS: the process has ended');
  return Number(match[1]) * 1024;
}

/** The counter (low 32 bits) of the zxid that a snapshot is named after; null: not a snapshot. */
export function snapshotCounter(fileName: string): number | null {
  const match = /^snapshot\.([0-9a-f]{1,16})(?:\.gz|\.snappy)?$/.exec(fileName);
  if (match?.[1] === undefined) return null;
  return Number(BigInt(`0x${match[1]}`) & 0xffff_ffffn);
}

export interface Serving {
  readonly role: string;
  readonly zxid: bigint;
  readonly znodes: number;
}

/** Out of what a server says to `srvr`; null when it does not serve now. */
export function parseServing(text: string): Serving | null {
  const zxid = /^Zxid: (0x[0-9a-f]+)$/m.exec(text)?.[1];
  const role = /^Mode: (\w+)$/m.exec(text)?.[1];
  const znodes = /^Node count: (\d+)$/m.exec(text)?.[1];
  if (zxid === undefined || role === undefined || znodes === undefined) return null;
  return { role, zxid: BigInt(zxid), znodes: Number(znodes) };
}

const failoverKeys = ['connectedMs', 'newMs', 'gapMs'] as const;

/** What zkfailover prints. */
export type FailoverFigures = Readonly<Record<(typeof failoverKeys)[number], number>>;

export function parseFailoverFigures(text: string): FailoverFigures {
  return parseFigures(text, failoverKeys);
}

/** The type of the filesystem that holds `path`, from the text of /proc/mounts. */
export function filesystemOf(path: string, mounts: string): string {
  let best = { point: '', type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [, point = '', type = ''] = line.split(' ');
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (point !== '' && holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}
