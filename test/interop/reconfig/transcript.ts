/**
 * What a story of reconfigurations shows, in words that do not depend on ports, directories and zxids:
 * the same story among Apache's servers must read the same.
 */
import { ErrorCode } from 'zabra/protocol';
import type { Place, Town } from './town.js';

export class Transcript {
  readonly lines: string[] = [];
  readonly #town: Town;
  readonly #versions = new Map<string, string>();
  readonly #ports = new Map<string, string>();

  constructor(town: Town) {
    this.#town = town;
  }

  learnPlace(sid: number, place: Place): void {
    for (const [kind, port] of Object.entries(place)) {
      const name = `${kind}${sid}`;
      if (this.#ports.has(String(port))) continue;
      const earlier = [...this.#ports.values()].filter((other) => other.startsWith(name)).length;
      this.#ports.set(String(port), `${name}${"'".repeat(earlier)}`);
    }
  }

  say(what: string, text: string): void {
    this.lines.push(this.#plain(`${what}: ${text}`));
  }

  #plain(text: string): string {
    for (const { sid, place } of this.#town.citizens.values()) this.learnPlace(sid, place);
    return text
      .replaceAll(this.#town.home, '')
      .replaceAll(/\b\d{5}\b/g, (port) => this.#ports.get(port) ?? port)
      .replaceAll(/(version=|dynamic\.)([0-9a-f]+)\b/g, (_all, before: string, hex: string) => {
        const name = this.#versions.get(hex) ?? `v${this.#versions.size + 1}`;
        this.#versions.set(hex, name);
        return `${before}${name}`;
      })
      .replaceAll('\n', ' | ');
  }
}

const names = new Map<number, string>(
  Object.entries(ErrorCode).map(([name, code]) => [code as number, name]),
);

export function errorName(code: number): string {
  return names.get(code) ?? String(code);
}
