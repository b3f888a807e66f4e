/**
 * What a client misses where a balancer has brought its session, with watches, to a server that cannot
 * tell what they missed, as its operator has allowed (`--mask=best-effort`). The watches are set there as
 * a client would set them, so of what happened in between the client hears what is different now, without
 * a zxid, and nothing else. That much may be lost, and no more: every watch that was held is set again
 * and none beside them, from where the client had been told everything, and what is different is told.
 */
import { EventType } from '../protocol/events.js';
import type { SetWatches } from '../protocol/records.js';
import { formatZxid, type Zxid } from '../protocol/zxid.js';
import type { Frame, Lapse } from './history.js';
import type { ModelWatches, OwedEvent } from './model-watches.js';

/** Where it begins and ends among a connection's frames, and what comes of it in between. */
export type LapseMark =
  | { readonly kind: 'lapse'; readonly lapse: Lapse; readonly isEnd: boolean }
  | { readonly kind: 'lapsed'; readonly lapse: Lapse; readonly event: OwedEvent };

export class LapseCheck {
  readonly #watches: ModelWatches;
  readonly #fail: (invariant: string, what: string) => void;
  /** The latest zxid that the client was shown, and whether by an event: others may be of it, too. */
  #shown: Zxid = 0n;
  #isWithin = false;
  /** A ping was answered since then: by a server that had told everything, or by the balancer. */
  #isUnsure = false;
  /** What happens up to here is lost, but for what is different then. */
  #until: Zxid | null = null;
  #due: OwedEvent[] = [];

  constructor(watches: ModelWatches, fail: (invariant: string, what: string) => void) {
    this.#watches = watches;
    this.#fail = fail;
  }

  /** No event is owed for that. */
  covers(zxid: Zxid): boolean {
    return this.#until !== null && zxid <= this.#until;
  }

  onFrame({ kind, zxid }: Frame): void {
    if (zxid === this.#shown && kind === 'ping') this.#isUnsure = true;
    else if (zxid > this.#shown || (zxid === this.#shown && kind === 'reply')) {
      this.#shown = zxid;
      this.#isWithin = kind === 'event';
      this.#isUnsure = false;
    }
    // pings are answered by the balancer meanwhile
    if (kind === 'ping' || this.#due.length === 0) return;
    this.#fail('W5', `[${textOf(this.#due)}] had not come when watches had been set again`);
    this.#due = [];
  }

  /** `owed`: events of the last transaction that the client was told of; they are not, any more. */
  onMark(mark: LapseMark, owed: OwedEvent[]): void {
    if (mark.kind === 'lapsed') this.#onEvent(mark.lapse, mark.event, owed);
    else if (!mark.isEnd) this.#begin(mark.lapse, owed);
    else {
      this.#until = null;
      this.#due = this.#watches.setAgain(mark.lapse.asked);
    }
  }

  #begin({ asked, until }: Lapse, owed: OwedEvent[]): void {
    const base = this.#isWithin ? this.#shown - 1n : this.#shown;
    const isRight = asked.relativeZxid === base;
    if (!isRight && !(this.#isUnsure && asked.relativeZxid === this.#shown)) {
      const from = formatZxid(asked.relativeZxid);
      this.#fail('B8', `watches are set from ${from} on, told is up to ${formatZxid(base)}`);
    }
    this.#compare(asked, owed);
    if (until === null) return;
    owed.length = 0;
    this.#watches.dropOneShots();
    this.#until = until;
  }

  /** What is set again is what is held. */
  #compare(asked: SetWatches, owed: readonly OwedEvent[]): void {
    const held = this.#watches.oneShots();
    const data = pathsOf(asked.dataWatches, asked.existWatches);
    const child = pathsOf(asked.childWatches);
    for (const path of held.data) if (!data.has(path)) this.#failAbout('of', path, 'not set again');
    for (const path of held.child) {
      if (!child.has(path)) this.#failAbout('of what is below', path, 'not set again');
    }
    const isSpent = (path: string, isChild: boolean): boolean =>
      this.#watches.mayStillHold(path) ||
      owed.some((event) => event.path === path && spends(event, isChild));
    for (const path of data) {
      if (!held.data.has(path) && !isSpent(path, false)) this.#failAbout('of', path, 'not held');
    }
    for (const path of child) {
      if (held.child.has(path) || isSpent(path, true)) continue;
      this.#failAbout('of what is below', path, 'not held');
    }
  }

  #failAbout(what: string, path: string, how: string): void {
    this.#fail('B8', `a watch ${what} ${path} is ${how} where the session goes on`);
  }

  #onEvent({ until }: Lapse, event: OwedEvent, owed: OwedEvent[]): void {
    if (until !== null) {
      const due = this.#due.shift();
      if (due?.type === event.type && due.path === event.path) return;
      const wanted = due === undefined ? 'nothing' : textOf([due]);
      this.#fail(
        'W5',
        `[${textOf([event])}] came of watches that were set again, due is ${wanted}`,
      );
      return;
    }
    // the server was lost before it had set all of them: the next one sets those that are left
    if (!this.#watches.spendFor(event)) {
      const at = owed.findIndex(({ path }) => path === event.path);
      if (at < 0) this.#fail('W5', `[${textOf([event])}] came of a watch that is not held`);
      else owed.splice(at, 1);
    }
  }
}

function spends({ type }: OwedEvent, isChild: boolean): boolean {
  if (type === EventType.nodeDeleted) return true;
  return isChild === (type === EventType.nodeChildrenChanged);
}

function pathsOf(...lists: (readonly (string | null)[] | null)[]): Set<string> {
  return new Set(lists.flatMap((list) => (list ?? []).map((path) => path ?? '')));
}

function textOf(events: readonly OwedEvent[]): string {
  return events.map(({ type, path }) => `${type} ${path}`).join(', ');
}
