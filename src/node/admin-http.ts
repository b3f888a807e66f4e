/**
 * Apache's AdminServer: the four-letter words' twin over HTTP, on a port of its own, for monitors
 * and people. `GET /commands/<name>` answers with JSON, `/commands` lists the names.
 *
 * It is open to whoever reaches the port (as Apache's 3.9 is by default), so it gives away little
 * room: few connections, small headers, no bodies, idle ones are closed. Long answers are written in
 * pieces with a turn of the event loop between them: a monitor that asks for a million watches must
 * not stop the clients. A port that is taken is no reason not to serve clients.
 */
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../ports/logger.js';
import { adminCommandNames, runAdminCommand } from '../server/commands/admin-commands.js';
import { BackupCommands } from '../server/commands/backup-commands.js';
import { runChangingCommand } from '../server/commands/changing-commands.js';
import { writeJson } from '../server/commands/json.js';
import type { ServerConfig } from '../server/config/config.js';
import type { ProcessView } from '../server/commands/view.js';
import { nodeClock } from './clock.js';

export interface AdminServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** More than every monitor and every person need; each may hold some kilobytes. */
const connectionsMax = 100;
const headerBytesMax = 16_384;
/** Bodies are not read: a client that sends a longer one is cut off. */
const ignoredBodyBytesMax = 65_536;
const methods = 'GET, HEAD, POST, OPTIONS';

/**
 * Null when the address cannot be had: that is told, and the server goes on without. `viewNow`: what
 * can be asked now, which is little while nobody is served.
 */
export async function startAdminServer(
  config: ServerConfig,
  viewNow: () => ProcessView,
  logger: Logger,
): Promise<AdminServer | null> {
  const { adminServerAddress: host, adminServerPort: port, adminIdleTimeoutMs } = config;
  const backups = new BackupCommands(nodeClock, logger);
  const server = createServer({ maxHeaderSize: headerBytesMax }, (request, response) => {
    answer(request, response, viewNow(), backups).catch((error: unknown) => {
      logger.warn('an admin command failed', { reason: String(error), url: request.url ?? '' });
      response.destroy();
    });
  });
  server.maxConnections = connectionsMax;
  server.keepAliveTimeout = adminIdleTimeoutMs;
  server.headersTimeout = adminIdleTimeoutMs;
  // a snapshot that is posted takes its time: only silence ends it
  server.requestTimeout = 0;
  server.timeout = adminIdleTimeoutMs;
  try {
    await listen(server, host, port);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn('the admin server does not start, clients are served without it', {
      address: `${host}:${port}`,
      reason,
    });
    return null;
  }
  // not before: errors of starting are the promise's
  server.on('error', (error) => logger.warn('admin server', { reason: error.message }));
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  logger.info('admin server started', {
    address: `${host}:${bound}`,
    url: config.adminCommandUrl,
  });
  return { port: bound, stop: () => stop(server) };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  view: ProcessView,
  backups: BackupCommands,
): Promise<void> {
  const { method = 'GET' } = request;
  if (method !== 'POST') ignoreBody(request);
  if (method === 'OPTIONS') {
    response.writeHead(200, { Allow: methods }).end();
    return;
  }
  if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
    response.writeHead(method === 'TRACE' ? 403 : 405, { Allow: methods }).end();
    return;
  }
  const { path, params } = targetOf(request.url ?? '/');
  const root = view.config.adminCommandUrl.replace(/\/+$/, '');
  if (path === root || path === `${root}/`) {
    response.end(adminCommandNames.map((name) => link(root, name)).join(''));
    return;
  }
  if (!path.startsWith(`${root}/`)) {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n');
    return;
  }
  const name = path.slice(root.length + 1);
  const asked = {
    method: method === 'POST' ? 'POST' : 'GET',
    params,
    authorization: request.headers.authorization ?? null,
    remoteAddress: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    body: request,
  } as const;
  const backup = await backups.run(name, asked, view);
  // a body that was not wanted, or not to its end
  if (method === 'POST') ignoreBody(request);
  if (backup?.file !== undefined && method === 'GET') {
    await sendFile(response, { ...backup.headers }, backup.file);
    return;
  }
  const { status, body } =
    backup ?? (await runChangingCommand(name, asked, view)) ?? runAdminCommand(name, asked, view);
  for (const [header, value] of Object.entries(backup?.headers ?? {})) {
    response.setHeader(header, value);
  }
  response.writeHead(status, { 'Content-Type': 'application/json' });
  if (method === 'HEAD') response.end();
  else await send(response, writeJson(body));
}

function link(root: string, name: string): string {
  return `<a href="${root}/${name}">${name}</a>\n<br/>\n`;
}

/** The first value of a repeated parameter counts. */
function targetOf(url: string): { path: string; params: Map<string, string> } {
  const [rawPath = '', query = ''] = url.split('?', 2);
  const params = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!params.has(name)) params.set(name, value);
  }
  try {
    return { path: decodeURIComponent(rawPath), params };
  } catch {
    // not decodable: then it names nothing
    return { path: rawPath, params };
  }
}

function ignoreBody(request: IncomingMessage): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ignoredBodyBytesMax) request.destroy();
  });
}

/** So much of it as there was when it was taken: piece by piece, as fast as the asker reads. */
async function sendFile(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  { path, bytes }: { readonly path: string; readonly bytes: number },
): Promise<void> {
  const content = createReadStream(path, { end: bytes - 1 });
  response.writeHead(200, { ...headers, 'Content-Type': 'application/octet-stream' });
  await pipeline(content, response);
}

async function send(response: ServerResponse, pieces: Iterable<string>): Promise<void> {
  for (const piece of pieces) {
    if (response.destroyed) return;
    if (piece !== '' && !response.write(piece)) await drained(response);
    await nextTurn();
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
