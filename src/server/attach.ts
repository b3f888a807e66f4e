/**
 * What a client said behind its connect request, and what it is told behind the response, when it
 * means to go on with its session at other servers without its own client noticing: who speaks for
 * the session (its generation), and which operations it may use for that (`protocol/continuation.ts`).
 * Connections that say nothing of the kind have none of this.
 */
import {
  AttachStatus,
  ContinuationCapability,
  ContinuationOp,
  writeAttachResponse,
  type AttachRequest,
} from '../protocol/continuation.js';
import type { Zxid } from '../protocol/zxid.js';
import type { Writer } from '../protocol/writer.js';
import type { Session } from '../session/session.js';
import type { CatchUp } from './catch-up.js';

/** A session was taken up: by which of its clients, and behind which of its transactions. */
export interface Attached {
  readonly generation: bigint;
  /** What its earlier clients wrote has this zxid or a lower one, what they still write fails. */
  readonly zxid: Zxid;
}

/** What whoever owns a session says of it to a server where its client has come. */
export type Verdict =
  /** `attached` null: the owner knows nothing of generations. */
  | { readonly kind: 'valid'; readonly attached: Attached | null }
  /** A later client has it. */
  | { readonly kind: 'superseded' }
  /** It is over, or never was. */
  | { readonly kind: 'invalid' };

/** Greater than any that can be shown. */
export const GENERATION_MAX = (1n << 63n) - 1n;

const { fate, catchUp, global } = ContinuationCapability;

export class Attach {
  /** 0n: the client comes by itself. */
  readonly shown: bigint;
  readonly #asked: number;
  #granted = 0;
  #status: number = AttachStatus.ok;
  #attached: Attached | null = null;
  /** The lists of a `catchUp` that are still coming. */
  gathering: CatchUp | null = null;

  constructor(request: AttachRequest) {
    this.shown = request.generation;
    this.#asked = request.capabilities;
  }

  /** `attached` null: the session's own transaction will tell. */
  grant(attached: Attached | null, kind: 'global' | 'local' | 'local-again'): void {
    this.#attached = attached;
    switch (kind) {
      case 'global':
        this.#granted = this.#asked & (fate | catchUp | global);
        return;
      case 'local':
        this.#granted = this.#asked & (fate | catchUp);
        return;
      case 'local-again':
        // what its earlier connection wrote may still come out with any zxid
        this.#granted = this.#asked & catchUp;
    }
  }

  supersede(): void {
    this.#status = AttachStatus.superseded;
  }

  answers(op: number): boolean {
    if (op === ContinuationOp.fate) return (this.#granted & fate) !== 0;
    return op === ContinuationOp.catchUp && (this.#granted & catchUp) !== 0;
  }

  /** `session` null: there is none in the response. */
  write(out: Writer, session: Session | null): void {
    // a new session begins with its own transaction
    const created = session?.generation ?? 0n;
    const { generation, zxid } = this.#attached ?? { generation: created, zxid: created };
    writeAttachResponse(out, {
      capabilities: session === null ? 0 : this.#granted,
      status: this.#status,
      generation,
      zxid,
    });
  }
}
