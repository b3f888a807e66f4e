import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../ports/clock.js';
import type { Server } from '../server.js';
import { Alone } from './alone.js';

/** Time goes when it is told to. */
class HandClock {
  #nowMs = 0;
  #timers: { atMs: number; run: () => void }[] = [];

  get asClock(): Clock {
    return {
      after: (delayMs: number, run: () => void) => {
        const timer = { atMs: this.#nowMs + delayMs, run };
        this.#timers.push(timer);
        return {
          cancel: () => {
            this.#timers = this.#timers.filter((other) => other !== timer);
          },
        };
      },
    } as unknown as Clock;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { run } of due) run();
  }
}

function world(tickTimeMs: number): {
  clock: HandClock;
  alone: Alone;
  said: string[];
  refusal: { mustNot: boolean };
} {
  const [clock, said, refusal] = [new HandClock(), [] as string[], { mustNot: false }];
  const server = {
    leave: () => {
      said.push('leaves');
      return Promise.resolve();
    },
  } as unknown as Server;
  const alone = new Alone(clock.asClock, tickTimeMs, () => {
    if (refusal.mustNot) return null;
    said.push('serves');
    return server;
  });
  return { clock, alone, said, refusal };
}

test('it serves after two seconds, or a tick that is longer, of looking in vain', () => {
  for (const [tickMs, graceMs] of [
    [500, 2000],
    [3000, 3000],
  ] as const) {
    const { clock, alone, said } = world(tickMs);
    alone.begin();
    clock.pass(graceMs - 1);
    assert.equal(alone.server, null);
    clock.pass(1);
    assert.notEqual(alone.server, null);
    assert.deepEqual(said, ['serves']);
  }
});

test('a leader that is found in time, or a search that begins anew, starts nothing', async () => {
  const { clock, alone, said } = world(500);
  alone.begin();
  clock.pass(1500);
  alone.begin();
  clock.pass(1500);
  assert.equal(alone.server, null);
  await alone.end();
  clock.pass(10_000);
  assert.deepEqual(said, []);
});

test('its clients are sent away when there is a leader', async () => {
  const { clock, alone, said } = world(500);
  alone.begin();
  clock.pass(2000);
  await alone.end();
  assert.equal(alone.server, null);
  await alone.end();
  assert.deepEqual(said, ['serves', 'leaves']);
});

test('whoever has a role by then does not serve alone', () => {
  const { clock, alone, refusal } = world(500);
  alone.begin();
  refusal.mustNot = true;
  clock.pass(2000);
  assert.equal(alone.server, null);
});
