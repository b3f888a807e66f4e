/**
 * An ensemble as its operator meets it from outside: found by one address, several, or a name of DNS
 * SRV, asked who belongs to it, and asked to change that. What it answers becomes one sentence that
 * says what would help.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeData } from '../client/types.js';
import { ErrorCode, errorSentence, ZkError } from '../protocol/errors.js';
import type { ServiceNames, ServicePlace } from '../ports/service-names.js';
import { readMembers, type Members } from '../server/config/members.js';
import { readRecord, recordPath, type TakenOut } from '../server/ensemble/autopilot-record.js';
import type { Client } from './client.js';
import { sessionAt, whyOf } from './one-server.js';

const CLIENT_PORT = 2181;
const ANSWER_TIMEOUT_MS = 10_000;
const RETRY_MS = 200;
/** No configuration ever has it: what is refused for it would not have been refused for more. */
const NO_VERSION = 0x7fff_ffff_ffff_ffffn;

export interface Shown {
  readonly scheme: string;
  readonly shown: string;
}

export interface Change {
  readonly joining?: string;
  readonly leaving?: string;
}

/** What an operator is to read: it says what would help. */
export class EnsembleError extends Error {
  override readonly name = 'EnsembleError';
}

/** `host[:port],…`, or `_zookeeper._tcp.example.org`. Throws EnsembleError. */
export async function placesAt(target: string, names: ServiceNames): Promise<ServicePlace[]> {
  if (target.startsWith('_')) {
    try {
      return [...(await names.lookUp(target))];
    } catch (problem) {
      throw new EnsembleError(problem instanceof Error ? problem.message : String(problem));
    }
  }
  return target.split(',').map((text) => {
    const [, bracketed, plain, port] =
      /^\s*(?:\[([^\]]+)\]|([^:\s]+))(?::(\d{1,5}))?\s*$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined) throw new EnsembleError(`'${text}' is no host:port`);
    return { host, port: port === undefined ? CLIENT_PORT : Number(port) };
  });
}

export class EnsembleSession {
  readonly #places: readonly ServicePlace[];
  readonly #shown: Shown | null;
  #client: Client | null = null;
  /** Of the server that answers. */
  where = '';

  constructor(places: readonly ServicePlace[], shown: Shown | null) {
    this.#places = places;
    this.#shown = shown;
  }

  /** Rejects with EnsembleError when nobody of them answers as an ensemble's member would. */
  async members(): Promise<Members> {
    const text = await this.#read('/zookeeper/config');
    const reading = text === null ? null : readMembers(text);
    if (reading?.ok !== true || reading.members.servers.size === 0) {
      throw new EnsembleError(`${this.where} stands alone: it is no member of an ensemble`);
    }
    return reading.members;
  }

  /** Servers that an autopilot has taken out. */
  async takenOut(): Promise<TakenOut[]> {
    return readRecord((await this.#read(recordPath)) ?? '');
  }

  /** Rejects with EnsembleError when nobody can change this ensemble; asks for nothing. */
  async checkChangeable(): Promise<void> {
    const answer = await this.#ask((client) => client.reconfig({ fromVersion: NO_VERSION }));
    const isPassing = answer === ErrorCode.badVersion || answer === ErrorCode.reconfigInProgress;
    if (typeof answer === 'number' && !isPassing) throw this.#refusal(answer);
  }

  /** Resolves when it is in force. Rejects with EnsembleError when it will not be. */
  async change(change: Change, timeoutMs: number): Promise<Members> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const answer = await this.#ask((client) => client.reconfig(change));
      if (typeof answer !== 'number') return membersIn(answer) ?? (await this.members());
      const isPassing =
        answer === ErrorCode.reconfigInProgress || answer === ErrorCode.newConfigNoQuorum;
      if (!isPassing || performance.now() > deadlineMs) throw this.#refusal(answer);
      await sleep(RETRY_MS);
    }
  }

  async close(): Promise<void> {
    await this.#client?.close();
    this.#client = null;
  }

  async #read(path: string): Promise<string | null> {
    const answer = await this.#ask((client) => client.getData(path));
    if (answer === ErrorCode.noNode) return null;
    if (typeof answer === 'number') throw this.#refusal(answer);
    return answer.data.toString('utf8');
  }

  /** What it answers, or the code that it refuses with. */
  async #ask(question: (client: Client) => Promise<NodeData>): Promise<NodeData | number> {
    const client = (this.#client ??= await this.#open());
    try {
      return await question(client);
    } catch (error) {
      if (isAnswer(error)) return error.code;
      await this.close();
      const why = whyOf(error);
      throw new EnsembleError(why.includes(this.where) ? why : `${this.where}: ${why}`);
    }
  }

  /** With the first of them that serves. */
  async #open(): Promise<Client> {
    const problems: string[] = [];
    for (const { host, port } of this.#places) {
      this.where = `${host}:${port}`;
      let client: Client;
      try {
        client = await sessionAt({ host, port, timeoutMs: ANSWER_TIMEOUT_MS });
      } catch (problem) {
        problems.push(problem instanceof Error ? problem.message : String(problem));
        continue;
      }
      const shown = this.#shown;
      if (shown === null) return client;
      try {
        await client.addAuth(shown.scheme, shown.shown);
        return client;
      } catch {
        await client.close();
        throw new EnsembleError(`${this.where} does not accept --auth ${shown.scheme}:…`);
      }
    }
    throw new EnsembleError(`nobody answers: ${problems.join('; ')}`);
  }

  #refusal(error: number): EnsembleError {
    return new EnsembleError(`${this.where} refuses: ${this.#sentenceOf(error)}`);
  }

  #sentenceOf(error: number): string {
    switch (error) {
      case ErrorCode.reconfigDisabled:
        return (
          'reconfiguration is disabled: set reconfigEnabled=true in the zoo.cfg of each of its ' +
          'servers, and restart them one after the other'
        );
      case ErrorCode.noAuth:
        return this.#shown === null
          ? 'not everybody may change it: --auth digest:super:PASSWORD says who asks ' +
              '(DigestAuthenticationProvider.superDigest), or whoever may write /zookeeper/config'
          : '--auth names somebody who may not change it: the ACL of /zookeeper/config, and ' +
              'DigestAuthenticationProvider.superDigest, say who may';
      case ErrorCode.unimplemented:
        return 'it stands alone, and is no member of an ensemble';
      case ErrorCode.newConfigNoQuorum:
        return 'too few of those that would vote then are connected and up to date';
      default:
        return errorSentence(error);
    }
  }
}

/** The server has said so, and not the client in its stead. */
function isAnswer(error: unknown): error is ZkError {
  return (
    error instanceof ZkError &&
    error.code !== ErrorCode.connectionLoss &&
    error.code !== ErrorCode.requestTimeout &&
    error.code !== ErrorCode.sessionExpired
  );
}

/** Of the answer, which is what getConfig would answer. */
function membersIn({ data }: NodeData): Members | null {
  const reading = readMembers(data.toString('utf8'));
  return reading.ok ? reading.members : null;
}
