/** Asks a balancer's control endpoint: one request, one answer in JSON, by what its control file says. */
import { request } from 'node:http';
import {
  controlDirectory,
  findControlFiles,
  readControlFile,
  type ControlPlace,
} from '../../node/control-file.js';
import { UsageError } from '../arguments.js';

const TIMEOUT_MS = 5000;

export interface ControlReply {
  readonly status: number;
  readonly body: unknown;
}

/** The one that `file` names, or the only one of this user that runs. Throws UsageError. */
export function controlPlace(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ControlPlace {
  if (file !== undefined) {
    const place = readControlFile(file);
    if (place === null) throw new UsageError(`${file} is no control file of a balancer`);
    return place;
  }
  const found = findControlFiles(controlDirectory(env));
  const [only, ...others] = found;
  if (only === undefined) {
    throw new UsageError(
      'no balancer of this user runs on this machine; --control-file names the file of another',
    );
  }
  if (others.length === 0) return only.place;
  const lines = found.map(({ file: path, place }) => `  ${path}  (${place.listen.join(', ')})`);
  throw new UsageError(
    `several balancers run here; --control-file names one:\n${lines.join('\n')}`,
  );
}

/** Rejects with one sentence when there is no answer. */
export function askControl(
  { host, port, token, listen }: ControlPlace,
  method: 'GET' | 'POST',
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<ControlReply> {
  const who = `the balancer at ${listen.join(', ')}`;
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const asked = request(
      { host, port, method, path, headers, timeout: TIMEOUT_MS },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown });
          } catch {
            reject(new Error(`${who}: what answers at ${host}:${port} is no balancer`));
          }
        });
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    asked.on('error', (error) => reject(new Error(`${who}: ${error.message}`)));
    asked.end(body === undefined ? '' : JSON.stringify(body));
  });
}
