/** What can happen to a tree and to the connection of who follows it, for property tests to combine. */
import fc from 'fast-check';
import { playground, type FakeHost, type FakeHostOptions } from './watch-host.fixture.js';

export type Step =
  | { readonly do: 'create' | 'set' | 'delete'; readonly path: string }
  | { readonly do: 'serve' | 'deliver'; readonly times: number }
  | { readonly do: 'drop' | 'dropUnsent' | 'doubt' | 'reconnect' | 'expire' | 'age' };

const aPath = fc.constantFrom(...playground);
const change = fc.record({ do: fc.constantFrom('create', 'set', 'delete'), path: aPath });
const motion = fc.record({
  do: fc.constantFrom('serve', 'deliver'),
  times: fc.integer({ min: 1, max: 8 }),
});
const fault = fc.record({
  do: fc.constantFrom(
    ...(['drop', 'dropUnsent', 'doubt', 'doubt', 'expire'] as const),
    ...(['reconnect', 'reconnect', 'reconnect'] as const),
  ),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ weight: 6, arbitrary: change }, { weight: 6, arbitrary: motion }, fault),
  { maxLength: 120, size: 'max' },
);

export function take(step: Step, host: FakeHost): void {
  switch (step.do) {
    case 'create':
    case 'set':
    case 'delete':
      host.tree[step.do](step.path);
      break;
    case 'serve':
    case 'deliver':
      for (let i = 0; i < step.times; i++) host[step.do]();
      break;
    case 'age':
      host.isOld = true;
      break;
    case 'dropUnsent':
      host.drop(false);
      break;
    default:
      host[step.do]();
  }
}

/** Until all is well and nothing moves. */
export function rest(host: FakeHost): void {
  host.reconnect();
  host.settle();
  host.reconnect();
  host.settle();
}

export const worlds: readonly (readonly [string, FakeHostOptions])[] = [
  ['a server that tells zxids', {}],
  ['a server that does not tell zxids', { hidesZxids: true }],
  ['a server without persistent watches', { isOld: true, hidesZxids: true }],
];
