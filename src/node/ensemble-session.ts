/**
 * An ensemble as its operator meets it from outside: found by one address, several, or a name of DNS
 * SRV, asked who belongs to it, and asked to change that. What it answers becomes one sentence that
 * says what would help.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, errorSentence } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { GetDataResponse } from '../protocol/records.js';
import type { Network } from '../ports/network.js';
import type { ServiceNames, ServicePlace } from '../ports/service-names.js';
import { readMembers, type Members } from '../server/config/members.js';
import { readRecord, recordPath, type TakenOut } from '../server/ensemble/autopilot-record.js';
import { ClientSession, type ClientReply } from './client-session.js';

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
  readonly #network: Network;
  readonly #places: readonly ServicePlace[];
  readonly #shown: Shown | null;
  #session: ClientSession | null = null;
  /** Of the server that answers. */
  where = '';

  constructor(network: Network, places: readonly ServicePlace[], shown: Shown | null) {
    this.#network = network;
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
    const { error } = await this.#ask(OpCode.reconfig, reconfig({}, NO_VERSION));
    const isPassing = error === ErrorCode.badVersion || error === ErrorCode.reconfigInProgress;
    if (!isPassing) throw this.#refusal(error);
  }

  /** Resolves when it is in force. Rejects with EnsembleError when it will not be. */
  async change(change: Change, timeoutMs: number): Promise<Members> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const { error, body } = await this.#ask(OpCode.reconfig, reconfig(change, -1n));
      if (error === ErrorCode.ok) return membersIn(body) ?? (await this.members());
      const isPassing =
        error === ErrorCode.reconfigInProgress || error === ErrorCode.newConfigNoQuorum;
      if (!isPassing || performance.now() > deadlineMs) throw this.#refusal(error);
      await sleep(RETRY_MS);
    }
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = null;
  }

  async #read(path: string): Promise<string | null> {
    const { error, body } = await this.#ask(OpCode.getData, { path, watch: false });
    if (error === ErrorCode.noNode) return null;
    if (error !== ErrorCode.ok) throw this.#refusal(error);
    const { data } = body as GetDataResponse;
    return new TextDecoder().decode(data ?? new Uint8Array(0));
  }

  async #ask(op: number, body: object): Promise<ClientReply> {
    const session = (this.#session ??= await this.#open());
    try {
      return await session.request(op, body);
    } catch (problem) {
      this.#session = null;
      throw new EnsembleError(problem instanceof Error ? problem.message : String(problem));
    }
  }

  /** With the first of them that serves. */
  async #open(): Promise<ClientSession> {
    const problems: string[] = [];
    for (const { host, port } of this.#places) {
      this.where = `${host}:${port}`;
      let session: ClientSession;
      try {
        const timeoutMs = ANSWER_TIMEOUT_MS;
        session = await ClientSession.open(this.#network, { host, port, timeoutMs });
      } catch (problem) {
        problems.push(problem instanceof Error ? problem.message : String(problem));
        continue;
      }
      const shown = this.#shown;
      if (shown === null) return session;
      const isBelieved = await session.auth(shown.scheme, shown.shown).catch(() => false);
      if (isBelieved) return session;
      throw new EnsembleError(`${this.where} does not accept --auth ${shown.scheme}:…`);
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

function reconfig(change: Change, curConfigId: bigint): object {
  return {
    joiningServers: change.joining ?? null,
    leavingServers: change.leaving ?? null,
    newMembers: null,
    curConfigId,
  };
}

/** Of the answer, which is what getConfig would answer. */
function membersIn(body: unknown): Members | null {
  const data = (body as GetDataResponse | null)?.data ?? null;
  const reading = data === null ? null : readMembers(new TextDecoder().decode(data));
  return reading?.ok === true ? reading.members : null;
}
