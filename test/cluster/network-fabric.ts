/**
 * A network of their own for the servers of one ensemble: each has a namespace with an address, all
 * hang on one bridge, where the clients are too. Links can be cut by server, peer, port and
 * direction, so that packets vanish as they do behind a broken switch: nobody is refused anything.
 *
 * All of it lives inside a namespace of this process's own (network.ts), and ends with it.
 */
import { hasProgram, MissingError, run, runOrThrow } from '../support/machine.js';
import type { Place } from './members.js';
import { bytecode, type Direction, type Drop } from './network-filter.js';

export const ports = { client: 2181, quorum: 2888, election: 3888 } as const;
export const clientsAddress = '192.168.1.100';

export function addressOf(sid: number): string {
  return `192.168.1.${sid}`;
}

/** What does not get through, at the interface of that server. */
export interface Cut extends Partial<Drop> {
  readonly at: number;
  /** To the server or from it; both without. */
  readonly direction?: Direction;
}

const directions = { in: 'ingress', out: 'egress' } as const;

export class Fabric {
  readonly places: readonly Place[];
  readonly #sids: readonly number[];
  #cuts: readonly Cut[] = [];
  #isSlow = false;

  static async build(servers: number): Promise<Fabric> {
    await ip('link set lo up');
    await ip('link add hub type bridge');
    await ip(`addr add ${clientsAddress}/24 dev hub`);
    await ip('link set hub up');
    const sids = Array.from({ length: servers }, (_, index) => index + 1);
    for (const sid of sids) {
      await ip(`netns add s${sid}`);
      await ip(`link add to-s${sid} type veth peer name eth0 netns s${sid}`);
      await ip(`link set to-s${sid} master hub up`);
      await ip(`-n s${sid} addr add ${addressOf(sid)}/24 dev eth0`);
      await ip(`-n s${sid} link set lo up`);
      await ip(`-n s${sid} link set eth0 up`);
      await tc(sid, 'qdisc add dev eth0 clsact');
    }
    const fabric = new Fabric(sids);
    await fabric.#apply();
    return fabric;
  }

  private constructor(sids: readonly number[]) {
    this.#sids = sids;
    this.places = sids.map((sid) => ({
      host: addressOf(sid),
      clientPort: ports.client,
      quorumPort: ports.quorum,
      electionPort: ports.election,
      through: ['nsenter', `--net=/run/netns/s${sid}`],
    }));
  }

  /** These, instead of those before. */
  async cut(cuts: readonly Cut[]): Promise<void> {
    this.#cuts = cuts;
    await this.#apply();
  }

  /** Each packet between servers, and to clients, takes its time. Says by what means. */
  async slow(): Promise<string> {
    this.#isSlow = true;
    const delay = 'qdisc replace dev eth0 root netem delay 40ms 20ms';
    const narrow = 'qdisc replace dev eth0 root tbf rate 2mbit burst 3k latency 400ms';
    for (const sid of this.#sids) {
      const { code } = await run('tc', ['-n', `s${sid}`, ...delay.split(' ')]);
      if (code === 0) continue;
      // this kernel has no netem: a line so narrow that packets wait for each other
      for (const each of this.#sids) await tc(each, narrow);
      return 'narrow lines, 2 Mbit/s';
    }
    return 'delays of 20 to 60 ms';
  }

  async heal(): Promise<void> {
    await this.cut([]);
    if (!this.#isSlow) return;
    this.#isSlow = false;
    for (const sid of this.#sids) await tc(sid, 'qdisc del dev eth0 root');
  }

  async #apply(): Promise<void> {
    const changes: Promise<void>[] = [];
    for (const sid of this.#sids) {
      for (const direction of ['in', 'out'] as const) {
        const drops = this.#cuts
          .filter((cut) => cut.at === sid && (cut.direction ?? direction) === direction)
          .map((cut) => ({ peer: null, port: null, onlySyn: false, chance: 1, ...cut }));
        const place = `filter replace dev eth0 ${directions[direction]} pref 1 handle 1`;
        const code = bytecode(drops, direction);
        const words = `${place} protocol all bpf direct-action bytecode`.split(' ');
        changes.push(runOrThrow('tc', ['-n', `s${sid}`, ...words, code]).then(() => undefined));
      }
    }
    await Promise.all(changes);
  }
}

/** Why there can be no such network here; null when there can. */
export async function whatIsMissing(): Promise<string | null> {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  for (const program of ['ip', 'tc', 'nsenter']) {
    if (!(await hasProgram(program, '-V'))) return `no program ${program} here`;
  }
  return null;
}

async function ip(line: string): Promise<void> {
  await command('ip', line.split(' '));
}

async function tc(sid: number, line: string): Promise<void> {
  await command('tc', ['-n', `s${sid}`, ...line.split(' ')]);
}

async function command(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(program, args);
  if (code === 0) return;
  throw new MissingError(`${program} ${args.join(' ')} is not possible here: ${stderr.trim()}`);
}
