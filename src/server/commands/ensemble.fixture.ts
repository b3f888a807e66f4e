/** A member of an ensemble to ask in tests: three voters and an observer, in the role that is wanted. */
import { readMembers, type Members } from '../config/members.js';
import type {
  AutopilotView,
  EnsembleView,
  HandOverAnswer,
  LearnerView,
  LeadingView,
  PeerView,
  TakenOutView,
} from './ensemble-view.js';
import { FixtureView } from './view.fixture.js';

export const membersText = [
  'server.1=127.0.0.1:29043:29044:participant',
  'server.2=127.0.0.1:29045:29046:participant',
  'server.3=127.0.0.1:29047:29048:participant;0.0.0.0:2183',
  'server.4=127.0.0.1:29049:29050:observer',
  'version=0',
].join('\n');

function members(): Members {
  const reading = readMembers(membersText);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.members;
}

const observer: LearnerView = {
  sid: 4,
  remoteAddress: '127.0.0.1',
  remotePort: 49_486,
  establishedMs: 1_175_500,
  queuedPackets: 0,
  queuedBytes: 0,
  packetsReceived: 141,
  packetsSent: 532,
  requests: 132,
  lastZxid: 0x100000208n,
};

const peers: readonly PeerView[] = [
  {
    sid: 1,
    role: 'follower',
    election: { address: '127.0.0.1', port: 29_044, sinceMs: 1_175_000, heardMs: 1_175_200 },
    quorum: { address: '127.0.0.1', port: 40_001, sinceMs: 1_175_500, heardMs: 1_175_990 },
    zxid: 0x100000206n,
    lag: 2,
  },
  { sid: 2, role: 'unknown', election: null, quorum: null, zxid: null, lag: null },
];

const leading: LeadingView = {
  learnerCount: 3,
  followerCount: 2,
  nonVotingCount: 0,
  pendingSyncCount: 1,
  uptimeMs: 2958.4,
  proposalBytes: { last: 66, min: 48, max: 91 },
};

export class EnsembleFixture implements EnsembleView {
  readonly sid: number;
  readonly members = members();
  readonly configText = membersText;
  readonly initLimit = 20;
  readonly syncLimit = 6;
  readonly leaderSid = 3;
  readonly leading: LeadingView | null;
  readonly observerCount: number | null;
  readonly observerMasterSid: number | null;
  readonly done: string[] = [];

  constructor(sid: number) {
    this.sid = sid;
    this.leading = sid === 3 ? leading : null;
    this.observerCount = sid === 3 ? 1 : null;
    this.observerMasterSid = sid === 4 ? 3 : null;
  }

  observers(): Iterable<LearnerView> {
    return this.sid === 3 ? [observer] : [];
  }

  autopilot: AutopilotView | null = null;
  out: readonly TakenOutView[] = [];

  takenOut(): Iterable<TakenOutView> {
    return this.out;
  }

  handOver(to: number | null): Promise<HandOverAnswer> {
    if (this.leading === null) return Promise.resolve({ ok: false, reason: 'server 3 leads' });
    if (to === 4) return Promise.resolve({ ok: false, reason: 'server 4 is an observer' });
    return Promise.resolve({ ok: true, leader: to ?? 2, gapMs: 7.25 });
  }

  resetObservers(): void {
    this.done.push('resetObservers');
  }

  peers(): Iterable<PeerView> {
    return peers;
  }
}

/** As it is seen by commands. */
export function memberFixture(role: 'leader' | 'follower' | 'observer' | 'read-only'): FixtureView {
  const sid = { leader: 3, follower: 1, observer: 4, 'read-only': 1 }[role];
  const view = new FixtureView('busy');
  view.serverState = role;
  view.ensemble = new EnsembleFixture(sid);
  view.config = {
    ...view.config,
    myid: sid,
    ensemble: { ...view.config.ensemble, isDistributed: true },
  };
  if (role !== 'leader') {
    view.globalSessions = () => [
      { id: 0x2000011eb9f0000n, timeoutMs: 10_000 },
      { id: 0x1000011eb9f0000n, timeoutMs: 30_000 },
    ];
  }
  return view;
}
