/** Runs cases against a target: few servers, one line for each failure, a reason for each skip. */
import { fourLetterWord } from '../support/four-letter.js';
import { MissingError } from '../support/machine.js';
import type { ServerProcess } from '../support/server-process.js';
import { TestClient } from '../support/test-client.js';
import type { ConnectFields } from '../support/raw-client.js';
import type { Case, Group, Target, Trial } from './suite.js';

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

type Print = (line: string) => void;

function isOlder(target: Target, release: readonly [number, number, number]): boolean {
  for (const [index, number] of release.entries()) {
    const own = target.release[index] ?? 0;
    if (own !== number) return own < number;
  }
  return false;
}

/** A server with its groups: those with the same configuration share one. */
interface Session {
  readonly groups: Group[];
}

function sessionsOf(groups: readonly Group[]): Session[] {
  const shared = new Map<string, Session>();
  const sessions: Session[] = [];
  for (const group of groups) {
    const key = JSON.stringify(group.server);
    const existing = group.owns ? undefined : shared.get(key);
    if (existing !== undefined) {
      existing.groups.push(group);
      continue;
    }
    const session: Session = { groups: [group] };
    sessions.push(session);
    if (!group.owns) shared.set(key, session);
  }
  return sessions;
}

class RunningTrial implements Trial {
  readonly target: Target;
  readonly path: string;
  readonly #host: { server: ServerProcess };
  readonly #mayRestart: boolean;
  readonly #clients: TestClient[] = [];

  constructor(target: Target, host: { server: ServerProcess }, path: string, mayRestart: boolean) {
    this.target = target;
    this.path = path;
    this.#host = host;
    this.#mayRestart = mayRestart;
  }

  get server(): ServerProcess {
    return this.#host.server;
  }

  adopt(client: TestClient): TestClient {
    this.#clients.push(client);
    return client;
  }

  async connect(fields: Partial<ConnectFields> = {}): Promise<TestClient> {
    return this.adopt(await TestClient.connect(this.server, fields));
  }

  async open(): Promise<TestClient> {
    return this.adopt(await TestClient.open(this.server));
  }

  async fourLetter(word: string): Promise<string> {
    return await fourLetterWord(this.server, word);
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    if (!this.#mayRestart) throw new Error('this group shares its server');
    await this.server.kill(signal);
    this.#host.server = await this.server.startAgain();
  }

  /** Sessions are closed rather than dropped, so that nothing of this case expires in the next. */
  async finish(): Promise<void> {
    for (const client of this.#clients) {
      try {
        client.resume();
        if (client.hasSession && !client.isClosed) await client.close(1_000);
      } catch {
        // a case may leave a connection in any state; dropping it is all that is left
      }
      client.destroy();
    }
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Disagreement' ? error.message : `${error.name}: ${error.message}`;
}

export class Runner {
  readonly tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  readonly #target: Target;
  readonly #print: Print;
  #paths = 0;

  constructor(target: Target, print: Print) {
    this.#target = target;
    this.#print = print;
  }

  async run(groups: readonly Group[], isWanted: (one: Case) => boolean): Promise<void> {
    for (const session of sessionsOf(groups)) {
      const wanted = session.groups.filter((group) => group.cases.some(isWanted));
      if (wanted.length > 0) await this.#runSession(wanted, isWanted);
    }
  }

  async #runSession(groups: readonly Group[], isWanted: (one: Case) => boolean): Promise<void> {
    const host = await this.#start(groups, isWanted);
    if (host === null) return;
    try {
      for (const group of groups) {
        const cases = group.cases.filter(isWanted).filter((one) => !this.#skips(one));
        for (const one of cases) {
          if (one.waits !== true) await this.#runCase(group, one, host);
        }
        const waiting = cases.filter((one) => one.waits === true);
        await Promise.all(waiting.map(async (one) => this.#runCase(group, one, host)));
      }
    } finally {
      await host.server.dispose();
    }
  }

  /** Null, and all the cases have failed, when there is no server. */
  async #start(
    groups: readonly Group[],
    isWanted: (one: Case) => boolean,
  ): Promise<{ server: ServerProcess } | null> {
    try {
      return { server: await this.#target.start(groups[0]?.server ?? {}) };
    } catch (error) {
      if (error instanceof MissingError) throw error;
      for (const one of groups.flatMap((group) => group.cases).filter(isWanted)) {
        this.tally.failed += 1;
        this.#print(`FAIL ${one.group} > ${one.name}: ${describe(error)}`);
      }
      return null;
    }
  }

  #skips(one: Case): boolean {
    const whyNot = this.#target.whyNot?.(one) ?? null;
    if (whyNot !== null) {
      this.tally.skipped += 1;
      this.#print(`skip ${one.group} > ${one.name}: ${whyNot}`);
      return true;
    }
    if (one.since === undefined || !isOlder(this.#target, one.since)) return false;
    this.tally.skipped += 1;
    const why = one.why ?? 'changed then';
    this.#print(`skip ${one.group} > ${one.name}: since ${one.since.join('.')} (${why})`);
    return true;
  }

  async #runCase(group: Group, one: Case, host: { server: ServerProcess }): Promise<void> {
    this.#paths += 1;
    const path = `/case-${this.#paths}`;
    const trial = new RunningTrial(this.#target, host, path, group.owns);
    try {
      const maker = await TestClient.connect(host.server);
      await maker.create(path);
      await maker.close();
      await one.run(trial);
      this.tally.passed += 1;
    } catch (error) {
      this.tally.failed += 1;
      this.#print(`FAIL ${one.group} > ${one.name}: ${describe(error)}`);
      if (process.env['CONFORMANCE_STACKS'] !== undefined) console.error(error);
    } finally {
      await trial.finish();
    }
  }
}
