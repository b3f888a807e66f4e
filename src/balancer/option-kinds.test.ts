import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  either,
  flag,
  formatOptionProblem,
  list,
  mapOf,
  number,
  object,
  oneOf,
  text,
  whole,
  type OptionKind,
  type OptionProblem,
} from './option-kinds.js';

function problemsOf(kind: OptionKind<unknown>, given: unknown): string[] {
  const problems: OptionProblem[] = [];
  kind.read(given, '', problems);
  return problems.map(formatOptionProblem);
}

const rate = object({ perSecond: number(0.1), burst: whole(1) }, ['perSecond']);
const options = object(
  {
    listen: list(text),
    mask: oneOf(['strict', 'off']),
    limits: object({ rate, connections: whole(0, 10) }),
    weights: mapOf(number(0)),
    force: flag,
    server: either(text, rate),
  },
  ['listen'],
);

test('what is right is passed on as it is, and one alone is a list of one', () => {
  const given = {
    listen: 'a:1',
    mask: 'off',
    limits: { rate: { perSecond: 5 }, connections: 3 },
    weights: { 'a:1': 2 },
    force: false,
    server: { perSecond: 1 },
  };
  assert.deepEqual(problemsOf(options, given), []);
  assert.deepEqual(options.read(given, '', []), { ...given, listen: ['a:1'] });
  assert.deepEqual(options.read({ listen: ['a', 'b'], mask: undefined }, '', []), {
    listen: ['a', 'b'],
  });
});

test('all that is wrong is told at once, each with its place', () => {
  const given = {
    listen: ['a:1', 7],
    mask: 'stric',
    limits: { rate: { burst: 1.5 }, connections: 11, connection: 1 },
    weights: { 'a:1': -1 },
    force: 'yes',
    server: { perSecond: 'many' },
  };
  assert.deepEqual(problemsOf(options, given), [
    'listen[1]: expected a text that is not empty',
    'mask: expected one of strict, off',
    'limits.rate.burst: expected a whole number from 1 on',
    'limits.rate.perSecond: is missing',
    'limits.connections: expected a whole number from 0 to 10',
    'limits.connection: there is no such option; there are rate, connections',
    'weights.a:1: expected a number from 0 on',
    'force: expected true or false',
    'server.perSecond: expected a number from 0.1 on',
  ]);
});

test('what is no object at all, and names that every object has, are told too', () => {
  assert.deepEqual(problemsOf(options, []), ['expected an object']);
  assert.deepEqual(problemsOf(options, { listen: 'a', server: 7 }), [
    'server: expected a text that is not empty, or an object',
  ]);
  assert.match(problemsOf(options, { listen: 'a', toString: 1 })[0] ?? '', /no such option/);
  assert.match(problemsOf(mapOf(flag), 1)[0] ?? '', /expected an object/);
  assert.equal(
    problemsOf(options, JSON.parse('{"listen":"a","__proto__":1}'))[0]?.includes('no such'),
    true,
  );
});
