/**
 * What local sessions can do and cannot, told line by line by clients of the leader, a follower and an
 * observer; the same for Apache's servers and for ours. At the end stand the transactions that all of it
 * left behind, for a session that no transaction knows must leave none.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import { Members, type Kind } from '../../cluster/members.js';
import { repositoryRoot, runOrThrow } from '../../support/machine.js';
import { body, flags, part } from '../../support/requests.js';
import { TestClient } from '../../support/test-client.js';

/** With equal histories the highest voting number leads. */
const roles = { leader: 3, follower: 1, observer: 4 } as const;
type RoleName = keyof typeof roles;
const longMs = 30_000;

export class SessionsScript {
  readonly lines: string[] = [];
  readonly #members: Members;
  #where = '';

  /** Of servers 1 to 4: the follower, another one, the leader, the observer. */
  static async run(
    kinds: readonly Kind[],
    settings: Readonly<Record<string, string>>,
  ): Promise<readonly string[]> {
    const members = await Members.prepare(kinds, {
      purpose: 'local-sessions',
      config: settings,
      observers: [roles.observer],
    });
    const script = new SessionsScript(members);
    try {
      await script.#run();
      return script.lines;
    } catch (error) {
      console.log(script.lines.join('\n'));
      throw error;
    } finally {
      await members.dispose();
    }
  }

  private constructor(members: Members) {
    this.#members = members;
  }

  async #run(): Promise<void> {
    const members = this.#members;
    await members.startAll([2, 3]);
    await members.startAll([1, 4]);
    for (const [role, sid] of Object.entries(roles)) {
      while ((await members.modeOf(sid)) !== role) await sleep(20);
    }
    for (const role of ['follower', 'leader', 'observer'] as const) {
      this.#where = role;
      await this.#plain(role);
      await this.#ephemerals(role);
      await this.#multi(role);
      await this.#pipelined(role);
      await this.#ends(role);
    }
    for (const sid of members.sids) await members.end(sid, 'SIGTERM');
    for (const sid of [roles.follower, roles.leader]) {
      this.#where = `log of ${sid}`;
      await this.#transactions(join(members.home, String(sid), 'version-2'));
    }
  }

  #say(line: string): void {
    this.lines.push(`${this.#where}: ${line}`);
  }

  async #connect(role: RoleName, timeoutMs: number = longMs): Promise<TestClient> {
    return await TestClient.connect(this.#members.addressOf(roles[role]), { timeoutMs });
  }

  /** How a second connection that shows the session's password fares at that server. */
  async #again(what: string, client: TestClient, role: RoleName): Promise<TestClient> {
    const address = this.#members.addressOf(roles[role]);
    const second = await client.reconnect({ timeoutMs: longMs }, address);
    this.#say(`${what}: ${second.hasSession ? 'goes on' : 'expired'}`);
    return second;
  }

  async #counts(role: RoleName): Promise<void> {
    const text = await this.#members.word(roles[role], 'mntr');
    const local = /^zk_local_sessions\t(\d+)$/m.exec(text)?.[1] ?? 'none';
    const global = /^zk_global_sessions\t(\d+)$/m.exec(text)?.[1] ?? 'none';
    this.#say(`local ${local}, global ${global}`);
  }

  async #plain(role: RoleName): Promise<void> {
    const client = await this.#connect(role);
    await this.#counts(role);
    this.#say(`create: ${(await client.create(`/${role}`, { data: 'a' })).err}`);
    this.#say(`again: ${(await client.create(`/${role}`)).err}`);
    this.#say(`setData: ${(await client.setData(`/${role}`, 'b')).err}`);
    const mixed = [part.create(`/${role}/m`), part.setData(`/${role}`, 'c')];
    this.#say(`multi: ${(await client.multi(mixed)).err}`);
    this.#say(`create2: ${(await client.create2(`/${role}/2`)).err}`);
    this.#say(`createContainer: ${(await client.createContainer(`/${role}/c`)).err}`);
    this.#say(`sequential: ${(await client.create(`/${role}/s`, { flags: 2 })).value ?? ''}`);
    this.#say(`setACL: ${(await client.setAcl(`/${role}/2`)).err}`);
    this.#say(`delete: ${(await client.delete(`/${role}/2`)).err}`);
    this.#say(`sync: ${(await client.sync('/')).err}`);
    const { value } = await client.getData(`/${role}`);
    this.#say(`read: ${value?.text ?? ''} ${value?.stat.version ?? -1}`);
    const second = await this.#again('here', client, role);
    await client.untilClosed();
    for (const other of ['follower', 'leader', 'observer'] as const) {
      if (other !== role) (await this.#again(`at the ${other}`, second, other)).destroy();
    }
    this.#say(`and still here: ${(await second.setData(`/${role}`, 'd')).err}`);
    await second.close();
    (await this.#again('after its end', second, role)).destroy();
  }

  async #ephemerals(role: RoleName): Promise<void> {
    const client = await this.#connect(role);
    const path = `/${role}/e`;
    this.#say(`ephemeral: ${(await client.create(path, { flags: flags.ephemeral })).err}`);
    await this.#counts(role);
    const owner = (await client.exists(path)).value?.ephemeralOwner ?? 0n;
    this.#say(`its owner: ${owner === client.session.sessionId}`);
    const another = await client.create2(`/${role}/e`, { flags: flags.ephemeralSequential });
    this.#say(`sequential ephemeral: ${another.err} ${another.value?.path ?? ''}`);
    this.#say(`getEphemerals: ${(await client.getEphemerals('/')).value?.join() ?? ''}`);
    const elsewhere = role === 'leader' ? 'follower' : 'leader';
    const moved = await this.#again(`then at the ${elsewhere}`, client, elsewhere);
    if (moved.hasSession) {
      this.#say(`writes there: ${(await moved.setData(path, 'moved')).err}`);
      await moved.close();
      const other = await this.#connect(role);
      await other.sync('/');
      this.#say(`gone with it: ${(await other.exists(path)).err}`);
      await other.close();
    } else {
      this.#say(`here it goes on: ${(await client.create(`/${role}/p`)).err}`);
      await client.close();
    }
  }

  async #multi(role: RoleName): Promise<void> {
    const client = await this.#connect(role);
    const parts = [
      part.create(`/${role}/x`),
      part.create(`/${role}/y`, { flags: flags.ephemeral }),
      part.delete(`/${role}/x`),
    ];
    const { err, value } = await client.multi(parts);
    this.#say(`multi with an ephemeral: ${err} [${(value ?? []).map((one) => one.err).join()}]`);
    this.#say(`after it: ${(await client.exists(`/${role}/y`)).err}`);
    await client.close();
    const refused = await this.#connect(role);
    const failing = await refused.multi([
      part.create(`/${role}/z`, { flags: flags.ephemeral }),
      part.check('/none', 0),
    ]);
    const errors = (failing.value ?? []).map((one) => one.err).join();
    this.#say(`one that fails: ${failing.err} [${errors}]`);
    await this.#counts(role);
    await refused.close();
  }

  /** Everything at once: the session changes under the requests that wait behind it. */
  async #pipelined(role: RoleName): Promise<void> {
    const client = await this.#connect(role);
    const path = `/${role}/pipe`;
    const asked = [
      client.post(OpCode.create, body.create(path)),
      client.post(OpCode.create, body.create(`${path}/e`, { flags: flags.ephemeral })),
      client.post(OpCode.exists, body.pathAndWatch(`${path}/e`, false)),
      client.post(OpCode.create, body.create(`${path}-2`, { flags: flags.ephemeral })),
      client.post(OpCode.setData, body.setData(path, 'x', 0)),
      client.post(OpCode.closeSession),
    ];
    const errors: number[] = [];
    for (const xid of asked) errors.push((await client.reply(xid)).err);
    this.#say(`in order: ${errors.join(' ')}`);
    await client.untilClosed();
  }

  async #ends(role: RoleName): Promise<void> {
    const quiet = await this.#connect(role, 1000);
    const startedMs = Date.now();
    await quiet.untilClosed();
    const tookMs = Date.now() - startedMs;
    this.#say(`silence ends it in time: ${tookMs > 900 && tookMs < 5000}`);
    (await this.#again('after that', quiet, role)).destroy();
    const lost = await this.#connect(role, 1000);
    lost.destroy();
    await sleep(3000);
    (await this.#again('lost for too long', lost, role)).destroy();
    const asker = await this.#connect(role);
    const kept = await this.#connect(role, 1500);
    for (let i = 0; i < 8; i++) {
      await sleep(400);
      await kept.ping();
    }
    this.#say(`pings keep it: ${(await kept.exists('/')).err}`);
    await kept.close();
    await asker.close();
  }

  /** Kind and error of each, in order. */
  async #transactions(directory: string): Promise<void> {
    const logs = readdirSync(directory)
      .filter((name) => name.startsWith('log.'))
      .sort((a, b) => parseInt(a.slice(4), 16) - parseInt(b.slice(4), 16));
    for (const name of logs) {
      const bin = join(repositoryRoot, 'bin', 'zabra');
      const text = await runOrThrow(process.execPath, [bin, 'log', join(directory, name)]);
      for (const line of text.split('\n')) {
        const found = / zxid 0x[0-9a-f]+ (-?\w+)(.*)$/.exec(line);
        if (found === null) continue;
        const [, kind = '', rest = ''] = found;
        // of an error its code, of what was created its path: what differs from run to run is left out
        const detail = kind === 'error' ? rest : (/ (\/[^,]*)/.exec(rest)?.[1] ?? '');
        this.#say(`${kind} ${detail}`.trim());
      }
    }
  }
}
