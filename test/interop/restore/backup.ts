/** `snapshot` and `restore` as an operator asks for them, of either server. */

/** Whoever it is: everybody may do everything at the root, unless a test says otherwise. */
export const operator = 'digest operator:secret';

export interface Snapshot {
  readonly status: number;
  readonly lastZxid: string;
  readonly size: string;
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

export async function takeSnapshot(adminPort: number): Promise<Snapshot> {
  const response = await fetch(urlOf(adminPort, 'snapshot'), {
    headers: { Authorization: operator },
  });
  return {
    status: response.status,
    lastZxid: response.headers.get('last_zxid') ?? '',
    size: response.headers.get('snapshot_size') ?? '',
    type: (response.headers.get('content-type') ?? '').split(';')[0] ?? '',
    bytes: new Uint8Array(await response.arrayBuffer()),
  };
}

export async function restore(adminPort: number, bytes: Uint8Array): Promise<Answer> {
  return await ask(adminPort, 'restore', { method: 'POST', body: bytes });
}

/** `authorization`: null sends none. */
export async function ask(
  adminPort: number,
  command: string,
  how: {
    readonly method?: string;
    readonly authorization?: string | null;
    readonly body?: Uint8Array;
  } = {},
): Promise<Answer> {
  const { method = 'GET', authorization = operator, body } = how;
  const response = await fetch(urlOf(adminPort, command), {
    method,
    headers: authorization === null ? {} : { Authorization: authorization },
    // a view of its own: the snapshot's bytes are used again
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const text = await response.text();
  try {
    return {
      status: response.status,
      fields: JSON.parse(text) as Readonly<Record<string, unknown>>,
    };
  } catch {
    return { status: response.status, fields: {} };
  }
}

/** The tree's digest as the end of a snapshot of 3.9 says it: before the last zxid and two seals. */
export function digestIn(snapshot: Uint8Array): string {
  const seal = 8 + 4 + 1;
  const at = snapshot.length - (8 + seal + 8 + seal);
  const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
  return view.getBigInt64(at).toString(16);
}

function urlOf(adminPort: number, command: string): string {
  return `http://127.0.0.1:${adminPort}/commands/${command}`;
}
