/** The real files behind load-config. */
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { ConfigFiles } from '../server/config/load-config.js';

export const nodeConfigFiles: ConfigFiles = {
  read(path) {
    try {
      return readFileSync(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
      throw error;
    }
  },
  kindOf(path) {
    try {
      return statSync(path).isDirectory() ? 'directory' : 'other';
    } catch {
      // nobody may look, or there is nothing: who opens it will say which
      return 'absent';
    }
  },
  isAbsolute,
  absolute: (path) => resolve(path),
  join,
};

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
