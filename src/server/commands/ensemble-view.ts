/**
 * What words and commands may see of the ensemble that a server is a member of: the configuration,
 * who leads, who hears whom, and what a leader knows of those that learn from it. Like `view.ts` it
 * is all that both kinds of commands know, so they can be tested without an ensemble.
 */
import type { EnsembleServer } from '../config/ensemble-config.js';
import type { Members } from '../config/members.js';

export interface EnsembleView {
  readonly sid: number;
  /** As they are in force. */
  readonly members: Members;
  /** The same as text, without a newline at its end. */
  readonly configText: string;
  /** In ticks. */
  readonly initLimit: number;
  readonly syncLimit: number;
  /** Null while there is none. */
  readonly leaderSid: number | null;
  /** Of this server while it leads; null: it does not. */
  readonly leading: LeadingView | null;
  /** Observers that learn from this server: of a leader, or of a follower that takes them. */
  observers(): Iterable<LearnerView>;
  /** How many those are; null: a server that takes none. */
  readonly observerCount: number | null;
  /** Figures of connections of observers begin anew. */
  resetObservers(): void;
  /** From which server an observer learns; null: this is none. */
  readonly observerMasterSid: number | null;
  /** All other servers of the configuration, in the order of their numbers. */
  peers(): Iterable<PeerView>;
  /** Of a leader that has one; null: this server does not lead, or has none. */
  readonly autopilot: AutopilotView | null;
  /** Hands leadership to that server; null: to the best. Settles when somebody leads again. */
  handOver(to: number | null): Promise<HandOverAnswer>;
  /** Servers that an autopilot has out of the configuration, in the order of their numbers. */
  takenOut(): Iterable<TakenOutView>;
}

export type HandOverAnswer =
  /** `gapMs`: from the last request that this server proposed until its clients were served again. */
  | { readonly ok: true; readonly leader: number; readonly gapMs: number }
  /** One sentence; nothing has changed, unless it says so. */
  | { readonly ok: false; readonly reason: string };

export interface AutopilotView {
  readonly deadMs: number;
  /** What it does, or what keeps it from doing something; for people. */
  readonly state: string;
}

export interface TakenOutView {
  readonly sid: number;
  readonly server: EnsembleServer;
  /** The same as in zoo.cfg, `server.N=…`: what it is let in again with. */
  readonly line: string;
  /** Wall clock. */
  readonly sinceMs: number;
  /** What is known of it now: it may be on its way back. */
  readonly peer: PeerView;
}

export interface LeadingView {
  /** Of every kind, also those not synchronised yet. */
  readonly learnerCount: number;
  /** Followers that hear of every proposal, those without a vote included. */
  readonly followerCount: number;
  readonly nonVotingCount: number;
  readonly pendingSyncCount: number;
  /** Since it began to serve; 0 before. */
  readonly uptimeMs: number;
  readonly proposalBytes: SizeView;
}

/** In bytes; -1 before the first. */
export interface SizeView {
  readonly last: number;
  readonly min: number;
  readonly max: number;
}

/** The connection of one learner, at the server that it learns from. */
export interface LearnerView {
  readonly sid: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Monotonic. */
  readonly establishedMs: number;
  readonly queuedPackets: number;
  readonly queuedBytes: number;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly requests: number;
  /** Of the last packet that it sent; -1 before the first. */
  readonly lastZxid: bigint;
}

/** Another server, as this one hears it. */
export interface PeerView {
  readonly sid: number;
  /** What it is to this server's knowledge; `unknown` where that has no way to know. */
  readonly role: 'leader' | 'follower' | 'observer' | 'looking' | 'unknown';
  /** The connection for votes; null: there is none. */
  readonly election: HearingView | null;
  /** That of learner and leader; null: there is none, which is usual between two learners. */
  readonly quorum: HearingView | null;
  /** How far it is to this server's knowledge; null: that has no way to know. */
  readonly zxid: bigint | null;
  /** Transactions that it is behind what is committed; null: not known. */
  readonly lag: number | null;
}

/** One connection between two servers. Times are of the monotonic clock. */
export interface HearingView {
  /** The other end. */
  readonly address: string;
  readonly port: number;
  readonly sinceMs: number;
  readonly heardMs: number;
}
