/**
 * Where the server's lines go: one line an event, either text for people (the default) or JSON for
 * machines, to standard output or to a file. JSON is pino's; it is loaded only when asked for.
 *
 * Values come from outside (paths, addresses, names of clients), so a value can never begin a line of
 * its own: control characters are escaped. A log that cannot be written never stops the server.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LogFields, Logger } from '../ports/logger.js';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Null: standard output. Appended to; rotated by the platform (copytruncate). */
  readonly file: string | null;
}

export interface ClosableLogger extends Logger {
  /** After it nothing is written any more. */
  close(): void;
}

/** Throws when the file cannot be opened. */
export async function createLogger(options: LoggerOptions): Promise<ClosableLogger> {
  const sink = options.file === null ? standardOutput : fileSink(options.file);
  const write = options.format === 'json' ? await jsonLines(sink) : textLines(sink);
  const minimum = logLevels.indexOf(options.level);
  const at = (level: LogLevel): Logger['info'] =>
    logLevels.indexOf(level) < minimum
      ? () => undefined
      : (message, fields = {}) => write(level, message, fields);
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    close: () => sink.close(),
  };
}

interface Sink {
  write(line: string): void;
  close(): void;
}

type WriteEvent = (level: LogLevel, message: string, fields: LogFields) => void;

const standardOutput: Sink = {
  write: (line) => void process.stdout.write(line),
  close: () => undefined,
};

function fileSink(path: string): Sink {
  mkdirSync(dirname(path), { recursive: true });
  let fd: number | null = openSync(path, 'a');
  return {
    write(line) {
      if (fd === null) return;
      try {
        writeSync(fd, line);
      } catch {
        // a full disk: the server has more important things to do than to tell
      }
    },
    close() {
      if (fd === null) return;
      try {
        fsyncSync(fd);
      } catch {
        // a pipe or a terminal cannot be synced
      }
      closeSync(fd);
      fd = null;
    },
  };
}

function textLines(sink: Sink): WriteEvent {
  return (level, message, fields) => {
    sink.write(formatEvent(new Date(), level, message, fields));
  };
}

/** `2026-11-21T02:37:33.123Z INFO  message key=value key="a value"` */
export function formatEvent(
  time: Date,
  level: LogLevel,
  message: string,
  fields: LogFields,
): string {
  let line = `${time.toISOString()} ${level.toUpperCase().padEnd(5)} ${escaped(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    const text = String(value);
    const isPlain = /^[^\s"=\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u.test(text);
    line += ` ${name}=${isPlain ? text : `"${escaped(text).replaceAll('"', '\\"')}"`}`;
  }
  return `${line}\n`;
}

/** What could end a line or steer a terminal becomes \uXXXX. */
function escaped(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

async function jsonLines(sink: Sink): Promise<WriteEvent> {
  const { pino } = await import('pino');
  const logger = pino(
    {
      level: 'debug',
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return (level, message, fields) => {
    logger[level]({ ...fields }, message);
  };
}
