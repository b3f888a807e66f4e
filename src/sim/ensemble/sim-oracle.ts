/**
 * The third party of two voters (`oraclePath`): what each of them reads there when it asks whether it
 * may go on without the other.
 *
 * Right is a yes to a server that holds everything that was committed, unless the other has taken a yes
 * since the two were last together: then the other may have what this one never heard of. Whoever takes
 * a wrong yes may lose that, or lead an epoch that the other led, and no server can know: the run ends
 * at that moment, judged up to there. A wrong yes that nobody asks for harms nobody.
 */
import type { SeededRandom } from '../../base/random.js';
import type { Disk, DiskFile, OpenMode } from '../../ports/disk.js';
import type { Timeline } from '../clock.js';
import { SimDisk } from '../disk.js';
import { DiskImage } from '../disk-image.js';
import { ForwardingDisk } from '../forwarding.js';
import type { Trace } from '../trace.js';
import type { Chronicle } from './chronicle.js';
import { oraclePath, type OracleManners } from './parameters.js';
import type { SimMember } from './sim-member.js';

interface OracleWorld {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly chronicle: Chronicle;
  readonly manners: OracleManners;
  voters(): readonly SimMember[];
  /** A server goes on though it must not. */
  readonly onHarm: () => void;
}

export class SimOracle {
  readonly #world: OracleWorld;
  readonly #allowed = new Set<number>();
  #areOn = true;
  /** Who has taken a yes since the two were last together; 0: nobody. */
  #alone = 0;
  /** How often a server began to go on alone, and by a wrong yes. */
  taken = 0;
  wrong = 0;

  constructor(world: OracleWorld) {
    this.#world = world;
    if (world.manners.meanMs < Infinity) this.#plan();
  }

  /** What this server has committed need not be anywhere else. */
  isAlone(sid: number): boolean {
    return this.#alone === sid;
  }

  /** Its disk may not be emptied: nobody else need have what is on it. */
  isPrecious(sid: number): boolean {
    return this.#alone === sid || this.#allowed.has(sid);
  }

  /** From now on these may go on alone, and nobody else. */
  allow(...sids: readonly number[]): void {
    this.#reunite();
    this.#allowed.clear();
    for (const sid of sids) this.#allowed.add(sid);
    const { trace } = this.#world;
    trace.note('F', 'oracle', 'allows', sids[0] ?? 0, sids[1] ?? 0, () => sids.join() || 'nobody');
  }

  /** Both will be there. */
  stop(): void {
    this.#areOn = false;
    this.allow();
  }

  /** What a server has as its disk: another file is there whenever it asks. */
  diskOf(sid: number, disk: Disk, isDead: () => boolean): Disk {
    return new AdvisedDisk(disk, () => (!isDead() && this.#isTaken(sid) ? yes : no));
  }

  // ------------------------------------------------------------------ what it says

  #plan(): void {
    const { timeline, random, manners } = this.#world;
    timeline.after(-manners.meanMs * Math.log(1 - random.fraction()), () => {
      if (!this.#areOn) return;
      this.#speak();
      this.#plan();
    });
  }

  #speak(): void {
    const { random, manners } = this.#world;
    const voters = this.#world.voters();
    const up = voters.filter(({ isRunning }) => isRunning);
    if (random.chance(manners.wrongChance)) {
      this.allow(...up.filter(() => random.chance(0.7)).map(({ sid }) => sid));
      return;
    }
    // with both there it is the network that is said to have parted them
    const isYes = random.chance(up.length === 1 ? 0.8 : 0.3);
    this.#reunite();
    const one = up.length > 0 && isYes ? random.pick(up) : undefined;
    if (one !== undefined && this.#isRight(one)) this.allow(one.sid);
    else if (this.#allowed.size > 0) this.allow();
  }

  #isRight({ sid, history }: SimMember): boolean {
    const isOnly = this.#alone === 0 || this.#alone === sid;
    return isOnly && history.covers(this.#world.chronicle.last);
  }

  /** Whoever was alone may not be so any more, and the other has what it has. */
  #reunite(): void {
    if (this.#allowed.has(this.#alone)) return;
    const voters = this.#world.voters();
    const { last } = this.#world.chronicle;
    const epoch = voters[0]?.member?.epoch;
    const areTogether =
      voters.some(({ isLeading }) => isLeading) &&
      voters.every(({ member }) => member?.server?.isServing === true && member.epoch === epoch);
    if (areTogether && voters.every(({ history }) => history.covers(last))) this.#alone = 0;
  }

  /** A server asks. */
  #isTaken(sid: number): boolean {
    if (!this.#allowed.has(sid)) return false;
    const { trace, onHarm } = this.#world;
    this.#reunite();
    const asker = this.#world.voters().find((one) => one.sid === sid);
    if (asker !== undefined && !this.#isRight(asker)) {
      trace.note('F', 'oracle', 'is wrong', sid);
      this.wrong++;
      onHarm();
      return true;
    }
    if (this.#alone !== sid) {
      trace.note('S', 'oracle', 'is believed', sid);
      this.taken++;
    }
    this.#alone = sid;
    return true;
  }
}

function fileWith(text: string): SimDisk {
  const disk = new SimDisk({ image: new DiskImage() });
  const bytes = new TextEncoder().encode(text);
  const file = disk.openNow(oraclePath, 'create');
  file.writeNow(bytes, 0, bytes.length, 0);
  file.closeNow();
  return disk;
}

const yes = fileWith('1');
const no = fileWith('0');

class AdvisedDisk extends ForwardingDisk {
  readonly #ask: () => Disk;

  constructor(inner: Disk, ask: () => Disk) {
    super(inner);
    this.#ask = ask;
  }

  override openNow(path: string, mode: OpenMode): DiskFile {
    return (path === oraclePath ? this.#ask() : this.inner).openNow(path, mode);
  }
}
