/** The session that the shell works in: with whom, in which state, and what happens to it. */
import type { Client } from '../../node/client.js';
import { ArgumentError } from '../../client/argument-error.js';
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import { UsageError } from '../arguments.js';
import { hostAndPortOf } from '../place-argument.js';
import { CommandFailure } from './failure.js';
import type { Launch } from './launch.js';

/** Without -waitforconnection a command does not wait longer for a server. */
const patienceMs = 5000;
const foreverMs = 0x7fff_ffff;
const quietMs = 1000;

export interface ConnectionEvents {
  /** As zkCli calls them: SyncConnected, Disconnected, Expired … */
  onState(name: string): void;
  onWarning(text: string): void;
  /** A command waits for a server longer than anybody likes to wait without a word. */
  onWait(server: string): void;
}

export class ShellConnection {
  readonly #launch: Launch;
  readonly #events: ConnectionEvents;
  #client: Client | null = null;
  #server: string;
  #opening: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  constructor(launch: Launch, events: ConnectionEvents) {
    this.#launch = launch;
    this.#events = events;
    this.#server = launch.server;
  }

  /** As it was given. */
  get server(): string {
    return this.#server;
  }

  /** Null: closed, or never opened. */
  get client(): Client | null {
    const client = this.#client;
    return client === null || client.state === 'closed' ? null : client;
  }

  /** As the prompt shows it. */
  get stateName(): string {
    const client = this.client;
    if (client === null) return 'CLOSED';
    if (client.state !== 'connected') return 'CONNECTING';
    return client.isReadOnly ? 'CONNECTEDREADONLY' : 'CONNECTED';
  }

  /** Ends the session before, if there is one, and looks for a server without waiting for it. */
  async open(server: string, { isPatient }: { readonly isPatient: boolean }): Promise<void> {
    await this.close();
    this.#server = server;
    this.#failure = null;
    const [{ Client }, { clientOptionsOf }] = await Promise.all([
      import('../../node/client.js'),
      import('./client-options.js'),
    ]);
    const { timeoutMs, waitsForConnection } = this.#launch;
    let client: Client;
    try {
      client = new Client(server, await clientOptionsOf(this.#launch));
    } catch (error) {
      // of what was asked for, it is what stands on the command line that is wrong
      throw error instanceof ArgumentError
        ? new UsageError(error.message, { cause: error })
        : error;
    }
    this.#client = client;
    this.#listen(client);
    const limitMs = waitsForConnection ? timeoutMs : isPatient ? foreverMs : patienceMs;
    this.#opening = client.connect({ timeoutMs: Math.min(limitMs, foreverMs) }).then(
      () => undefined,
      (error: unknown) => {
        this.#failure = error;
      },
    );
  }

  /** Resolves with the client when there is a session; rejects when there will be none. */
  async ready(signal: AbortSignal): Promise<Client> {
    this.#live();
    const timer = setTimeout(() => {
      this.#events.onWait(this.#server);
    }, quietMs);
    try {
      await untilAborted(this.#opening, signal);
    } finally {
      clearTimeout(timer);
    }
    if (this.#failure !== null) throw await this.#noConnection();
    return this.#live();
  }

  #live(): Client {
    const { client } = this;
    if (client === null) throw new CommandFailure('Not connected');
    return client;
  }

  async #noConnection(): Promise<CommandFailure> {
    const failure = this.#failure;
    const cause = failure instanceof Error && failure.cause instanceof Error ? failure.cause : null;
    if (failure instanceof ZkError && failure.code === ErrorCode.authFailed) {
      return new CommandFailure(
        'KeeperErrorCode = AuthFailed',
        cause === null ? [] : [cause.message],
        { cause: failure },
      );
    }
    const [first = ''] = this.#server.split(/[,/]/);
    const hints = [
      ...(cause === null ? [] : [cause.message]),
      (await isReadOnly(first))
        ? `${first} has lost its quorum and reads only: zabra cli -r does with that`
        : `is there a server at ${this.#server}? zabra word ruok ${first}`,
    ];
    return new CommandFailure('KeeperErrorCode = ConnectionLoss', hints, { cause: failure });
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.close();
    await this.#opening;
  }

  #listen(client: Client): void {
    client.on('state', (state, previous) => {
      if (client !== this.#client) return;
      if (state === 'connected') {
        // the first one is what the prompt is for
        const name = client.isReadOnly ? 'ConnectedReadOnly' : 'SyncConnected';
        this.#events.onState(previous === 'connecting' ? '' : name);
      } else if (state === 'suspended') {
        this.#events.onState('Disconnected');
      } else if (state === 'lost') {
        this.#events.onState('Expired');
      }
    });
    client.on('auth', ({ scheme, reason }) => {
      this.#events.onWarning(`the server refused what was shown by ${scheme}: ${reason.message}`);
    });
    client.on('warning', (text) => {
      this.#events.onWarning(text);
    });
  }
}

/** Whether it says of itself that it has no quorum, and reads. */
async function isReadOnly(server: string): Promise<boolean> {
  const place = hostAndPortOf(server);
  if (place === null) return false;
  const [{ askWord }, { readIsro }] = await Promise.all([
    import('../words/ask-word.js'),
    import('../../protocol/four-letter-words.js'),
  ]);
  const answer = await askWord('isro', place, { timeoutMs: quietMs }).catch(() => '');
  return readIsro(answer) === 'ro';
}

/** Rejects with the signal's reason as soon as it is aborted. */
async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
