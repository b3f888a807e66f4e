/** A fault that ensembles are known to have: how it is told from an examination, and what to do. */
import { nameOf, type Examination, type ServerSight } from './examination.js';

export type Severity =
  /** Clients are not served, or data is in danger, now. */
  | 'critical'
  /** The next failure, or more of the same, will do that. */
  | 'warning'
  /** Good to know. */
  | 'note';

export interface Finding {
  /** Whom it is about; null: the ensemble. */
  readonly where: string | null;
  readonly severity: Severity;
  /** What was seen, with the figures. */
  readonly seen: string;
}

export interface Fault {
  /** What people search for. */
  readonly name: string;
  /** One sentence: what it leads to, and what to do about it. */
  readonly advice: string;
  readonly look: (examination: Examination) => readonly Finding[];
}

/** Of each server for itself; null where there is nothing to see. */
export function ofEach(
  { servers }: Examination,
  severity: Severity,
  see: (server: ServerSight) => string | null,
): Finding[] {
  return servers.flatMap((server) => {
    const seen = see(server);
    return seen === null ? [] : [{ where: nameOf(server), severity, seen }];
  });
}

export interface Diagnosis extends Finding {
  readonly fault: string;
  readonly advice: string;
}

const ranks = { critical: 0, warning: 1, note: 2 } as const;

/** The worst first. */
export function diagnose(faults: readonly Fault[], examination: Examination): Diagnosis[] {
  return faults
    .flatMap((fault) =>
      fault
        .look(examination)
        .map((finding) => ({ fault: fault.name, advice: fault.advice, ...finding })),
    )
    .sort((a, b) => ranks[a.severity] - ranks[b.severity]);
}
