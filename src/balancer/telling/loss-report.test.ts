import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../ports/clock.js';
import { silentLogger, type Logger } from '../../ports/logger.js';
import { LossReport } from './loss-report.js';

test('a loss is one line, however many sessions there were', () => {
  const lines: string[] = [];
  const due: (() => void)[] = [];
  const info: Logger['info'] = (message, fields) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const clock = {
    after: (_delayMs: number, run: () => void) => {
      due.push(run);
      return { cancel: () => void due.splice(due.indexOf(run), 1) };
    },
  } as unknown as Clock;
  const report = new LossReport(clock, { ...silentLogger, info });
  for (let i = 1; i <= 1000; i++) report.onMasked('a:1', i);
  report.onMasked('b:1', 7.4);
  report.onDropped('no server took it');
  report.onDropped('no server took it');
  assert.deepEqual([due.length, lines.length], [1, 0]);
  due.pop()?.();
  assert.deepEqual(lines.splice(0), [
    'a server was lost, and clients did not notice {"server":"a:1","sessions":1000,"slowestMs":1000}',
    'a server was lost, and clients did not notice {"server":"b:1","sessions":1,"slowestMs":7}',
    'connections of clients were ended {"connections":2,"reason":"no server took it"}',
  ]);
  report.onMasked('a:1', 3);
  report.stop();
  assert.deepEqual([due.length, lines.length], [0, 1]);
});
