import type { ServerProcess } from '../../support/server-process.js';
import type { Interop } from '../program.js';
export async function runKafka(_i: Interop, _l: string, _r: (s: ServerProcess, a: readonly string[]) => Promise<void>): Promise<void> { await Promise.resolve(); }
