/**
 * Apache's AdminServer: the four-letter words' twin over HTTP, on a port of its own, for monitors
 * and people. `GET /commands/<name>` answers with JSON, `/commands` lists the names.
 *
 * It is open to whoever reaches the port (as Apache's 3.9 is by default), so it gives away little
 * room: few connections, small headers, no bodies, idle ones are closed. Long answers are written in
 * pieces with a turn of the event loop between them: a monitor that asks for a million watches must
 * not stop the clients. A port that is taken is no reason not to serve clients.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../ports/logger.js';
import { adminCommandNames, runAdminCommand } from '../server/commands/admin-commands.js';
import { writeJson } from '../server/commands/json.js';
import type { ServerConfig } from '../server/config/config.js';
import type { ProcessView } from '../server/commands/view.js';

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
  const server = createServer({ maxHeaderSize: headerBytesMax }, (request, response) => {
    answer(request, response, viewNow()).catch((error: unknown) => {
      logger.warn('an admin command failed', { reason: String(error), url: request.url ?? '' });
      response.destroy();
    });
  });
  server.maxConnections = connectionsMax;
  server.keepAliveTimeout = adminIdleTimeoutMs;
  server.headersTimeout = adminIdleTimeoutMs;
  server.requestTimeout = adminIdleTimeoutMs;
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
): Promise<void> {
  ignoreBody(request);
  const { method = 'GET' } = request;
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
  const { status, body } = runAdminCommand(
    path.slice(root.length + 1),
    {
      method: method === 'POST' ? 'POST' : 'GET',
      params,
      authorization: request.headers.authorization ?? null,
    },
    view,
  );
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
