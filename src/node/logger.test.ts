import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLogger, formatEvent } from './logger.js';
import type { LoggerOptions } from './logger.js';

async function linesOf(options: Omit<LoggerOptions, 'file'>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-log-'));
  try {
    const file = join(folder, 'deeper', 'server.log');
    const logger = await createLogger({ ...options, file });
    logger.debug('unheard');
    logger.info('started', { port: 2181 });
    logger.error('broken', { reason: 'no\nspace' });
    logger.close();
    logger.error('after the end');
    return readFileSync(file, 'utf8').trimEnd().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('text: one line an event, nothing below the level', async () => {
  const lines = await linesOf({ level: 'info', format: 'text' });
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}started port=2181$/);
  assert.match(lines[1] ?? '', / ERROR broken reason="no\\u000aspace"$/);
});

test('JSON: one object a line', async () => {
  const lines = await linesOf({ level: 'warn', format: 'json' });
  assert.equal(lines.length, 1);
  const event = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.equal(event['level'], 'error');
  assert.equal(event['message'], 'broken');
  assert.equal(event['reason'], 'no\nspace');
  assert.match(String(event['time']), /^\d{4}-/);
});

test('values cannot begin a line, steer a terminal or look like another field', () => {
  const time = new Date(0);
  const line = formatEvent(time, 'warn', 'client\r\ngone', {
    path: '/a b=c "x"',
    escape: '\u001b[2J',
    separator: 'a\u2028b',
    plain: '/zk/lock-0000000001',
    nothing: null,
  });
  assert.equal(
    line,
    '1970-01-01T00:00:00.000Z WARN  client\\u000d\\u000agone path="/a b=c \\"x\\"" ' +
      'escape="\\u001b[2J" separator="a\\u2028b" plain=/zk/lock-0000000001 nothing=null\n',
  );
});

test('a file that cannot be opened is an error at once', async () => {
  await assert.rejects(createLogger({ level: 'info', format: 'text', file: '/dev/null/x' }));
});
