/**
 * The balancer's control endpoint: HTTP for `zabra balance drain` and its like, and for whoever watches.
 * It changes who serves whom, so it listens on the loopback interface unless told otherwise, and every
 * request shows a token, which also keeps web pages of this machine's browsers out. The metrics may have
 * a port of their own without one: whoever scrapes them can do nothing else there.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../ports/logger.js';

/** What can be asked for. Methods throw `ControlError` for what cannot be done. */
export interface Controllable {
  status(): unknown;
  metricsText(): string;
  drain(server: string, options: { readonly force: boolean }): void;
  undrain(server: string): void;
  wake(server: string): void;
  sleep(server: string): void;
  setWeight(server: string, weight: number): void;
}

export interface HttpPort {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const BODY_BYTES_MAX = 4096;
const HEADER_BYTES_MAX = 8192;
const CONNECTIONS_MAX = 32;
const IDLE_TIMEOUT_MS = 30_000;

export function startControl(
  balancer: Controllable,
  at: { readonly host: string; readonly port: number; readonly token: string },
  logger: Logger,
): Promise<HttpPort> {
  const isToken = tokenCheck(at.token);
  return listen(at, async (request, response) => {
    if (!isToken(request.headers.authorization)) {
      send(response, 401, { error: 'the control file has the token: Authorization: Bearer TOKEN' });
      return;
    }
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method === 'GET' && path === '/status') send(response, 200, balancer.status());
    else if (request.method === 'GET' && path === '/metrics') sendMetrics(response, balancer);
    else if (request.method === 'POST') {
      const { status, body } = act(balancer, path, await bodyOf(request));
      if (status === 200) logger.info('told by the operator', { path, ...body });
      send(response, status, body);
    } else send(response, 404, { error: 'GET /status, /metrics; POST /drain, /undrain, /wake …' });
  });
}

/** `/metrics` alone, for whoever can reach it. */
export function startMetrics(
  balancer: Controllable,
  at: { readonly host: string; readonly port: number },
): Promise<HttpPort> {
  return listen(at, (request, response) => {
    if (request.method === 'GET' && request.url === '/metrics') sendMetrics(response, balancer);
    else send(response, 404, { error: 'GET /metrics' });
    return Promise.resolve();
  });
}

interface Outcome {
  readonly status: number;
  readonly body: Readonly<Record<string, string | number | boolean>>;
}

function act(balancer: Controllable, path: string, given: Record<string, unknown> | null): Outcome {
  const server = given?.['server'];
  if (given === null || typeof server !== 'string') {
    return {
      status: 400,
      body: { error: 'the body is JSON with a server: {"server":"host:port"}' },
    };
  }
  try {
    switch (path) {
      case '/drain': {
        const force = given['force'] === true;
        balancer.drain(server, { force });
        return { status: 200, body: { server, force } };
      }
      case '/undrain':
        balancer.undrain(server);
        return { status: 200, body: { server } };
      case '/wake':
        balancer.wake(server);
        return { status: 200, body: { server } };
      case '/sleep':
        balancer.sleep(server);
        return { status: 200, body: { server } };
      case '/weight': {
        const weight = given['weight'];
        if (typeof weight !== 'number' || !(weight >= 0) || weight > 1e6) {
          return { status: 400, body: { error: 'weight is a number, 0 or more' } };
        }
        balancer.setWeight(server, weight);
        return { status: 200, body: { server, weight } };
      }
      default:
        return { status: 404, body: { error: `there is no ${path}` } };
    }
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ControlError')) throw error;
    return { status: 409, body: { error: error.message } };
  }
}

/** Without telling by the time it takes how much of a guess is right. */
function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const wanted = digest(`Bearer ${token}`);
  return (authorization) => timingSafeEqual(digest(authorization ?? ''), wanted);
}

function sendMetrics(response: ServerResponse, balancer: Controllable): void {
  response.writeHead(200, { 'Content-Type': METRICS_TYPE });
  response.end(balancer.metricsText());
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Null: it is no object in JSON, or too long to be one that is meant. */
async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) return null;
    pieces.push(piece);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function listen(
  at: { readonly host: string; readonly port: number },
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<HttpPort> {
  const server: Server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      // whoever asked has gone, or there is a bug: the balancer balances on
      if (!response.headersSent) send(response, 500, { error: String(error) });
      else response.destroy();
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = IDLE_TIMEOUT_MS;
  server.headersTimeout = IDLE_TIMEOUT_MS;
  server.timeout = IDLE_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: at.host, port: at.port }, () => {
      server.off('error', reject);
      const { address, port } = server.address() as AddressInfo;
      resolve({
        host: address,
        port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
