/** What is wrong with single servers, and where they do not agree with each other. */
import { areSameMembers } from '../../server/config/members.js';
import {
  figure,
  isServing,
  nameOf,
  placeText,
  type Examination,
  type ServerSight,
} from './examination.js';
import { ofEach, type Fault, type Finding } from './fault.js';

/** Behind by more than this, and not nearer a second later. */
const LAG_MAX = 1000n;

/** 3.8.4 before 3.9.5; what a version of ours is built on counts. Null: not of that shape. */
function isOlder(version: string, than: readonly [number, number, number]): boolean | null {
  const match = /^(\d+)\.(\d+)\.(\d+)/.exec(version);
  if (match === null) return null;
  for (const [i, part] of than.entries()) {
    const ours = Number(match[i + 1]);
    if (ours !== part) return ours < part;
  }
  return false;
}

export const memberFaults: readonly Fault[] = [
  {
    name: 'unreachable',
    advice:
      'It is down, another address or port than it has was asked, or a firewall is between: look at ' +
      'its log, then at clientPort and clientPortAddress in its zoo.cfg.',
    look: (examination) =>
      ofEach(examination, 'warning', ({ health, reason }) => (health === 'silent' ? reason : null)),
  },
  {
    name: 'not-asked',
    advice:
      'Their client addresses stand nowhere in the configuration: name all servers to the doctor, or ' +
      'write them as server.N=…;2181, which also lets clients follow reconfigurations.',
    look: ({ servers, members }) => {
      const unknown = [...(members?.servers.keys() ?? [])].filter(
        (sid) => !servers.some((server) => server.sid === sid),
      );
      if (unknown.length === 0) return [];
      const seen = `nobody knows where to ask server ${unknown.join(', ')}`;
      return [{ where: null, severity: 'note', seen }];
    },
  },
  {
    name: 'hanging',
    advice:
      'The host takes connections and the process does not answer: it is stopped (SIGSTOP, a debugger), ' +
      'swapping, in a long collection, or behind a disk that hangs.',
    look: (examination) =>
      ofEach(examination, 'critical', ({ health }) =>
        health === 'hanging' ? 'takes connections and says nothing' : null,
      ),
  },
  {
    name: 'not-serving',
    advice:
      'It has no leader: it cannot reach a quorum on the quorum and election ports, or is still reading ' +
      'its data. If it stays so, look at its log and at election-port-closed.',
    look: (examination) =>
      ofEach(examination, 'warning', ({ health }) =>
        health === 'not-serving' ? 'answers, and serves nobody' : null,
      ),
  },
  {
    name: 'read-only',
    advice:
      'It is cut off from the quorum and serves reads of old data to clients that allow that: mend ' +
      'the network between it and the others.',
    look: (examination) =>
      ofEach(examination, 'warning', ({ health }) =>
        health === 'read-only' ? 'serves reads only' : null,
      ),
  },
  {
    name: 'lagging',
    advice:
      'Its clients read old data, and it is no help when the leader is lost: its disk or its network ' +
      'does not keep up.',
    look: (examination) => {
      const leader = examination.servers.find(({ mode }) => mode === 'leader');
      if (leader?.zxid == null || leader.laterZxid === null) return [];
      const { zxid: first, laterZxid: later } = leader;
      return ofEach(examination, 'warning', (server) => {
        if (!isServing(server) || server === leader) return null;
        if (server.zxid === null || server.laterZxid === null) return null;
        const before = first - server.zxid;
        const now = later - server.laterZxid;
        return before > LAG_MAX && now > LAG_MAX && now >= before
          ? `${now} transactions behind the leader, and not coming nearer`
          : null;
      });
    },
  },
  {
    name: 'wrong-identity',
    advice:
      'Clients and servers reach somebody else than they think: compare the myid of both hosts with ' +
      'the server.N lines.',
    look: (examination) =>
      ofEach(examination, 'critical', ({ sid, claimedSid }) =>
        sid !== null && claimedSid !== null && sid !== claimedSid
          ? `the configuration has server ${sid} there, and it says it is server ${claimedSid}`
          : null,
      ),
  },
  {
    name: 'duplicate-id',
    advice:
      'Two servers with one number count as one voter, and can elect two leaders: stop one at once ' +
      'and give it a myid of its own.',
    look: ({ servers }) => {
      const bySid = new Map<number, ServerSight[]>();
      for (const server of servers) {
        if (server.claimedSid === null || server.members === null) continue;
        // a server alone is nobody's double: each of them is number 0 or what its myid says
        if (server.members.servers.size < 2) continue;
        const sharing = bySid.get(server.claimedSid) ?? [];
        bySid.set(server.claimedSid, [...sharing, server]);
      }
      return [...bySid].flatMap(([sid, sharing]) => {
        if (sharing.length < 2) return [];
        const places = sharing.map(({ place }) => placeText(place)).join(' and ');
        const finding: Finding = {
          where: null,
          severity: 'critical',
          seen: `${places} both say that they are server ${sid}`,
        };
        return [finding];
      });
    },
  },
  {
    name: 'members-disagree',
    advice:
      'A server with an old list of members can elect with the wrong ones: give all the same ' +
      'server.N lines, or let it reach the others so that it learns the newest configuration.',
    look: (examination) => {
      const { members } = examination;
      if (members === null) return [];
      return ofEach(examination, 'critical', (server) =>
        server.members === null || areSameMembers(server.members, members)
          ? null
          : `believes in servers ${sidsOf(server.members)} (version ${server.members.version.toString(16)}), ` +
            `others in ${sidsOf(members)} (version ${members.version.toString(16)})`,
      );
    },
  },
  {
    name: 'outsider',
    advice:
      'It is in the connect string and not in the ensemble: its clients see another tree, or none. ' +
      'Take it out of the string, or let it join (`zabra join`, or reconfig -add).',
    look: (examination) => {
      const { members } = examination;
      if (members === null) return [];
      return ofEach(examination, 'warning', ({ claimedSid, health }) =>
        health !== 'silent' && claimedSid !== null && !members.servers.has(claimedSid)
          ? `says it is server ${claimedSid}, which the ensemble does not have`
          : null,
      );
    },
  },
  {
    name: 'election-port-closed',
    advice:
      'From here it cannot be reached by other servers, so it may not be able to vote: open both ' +
      'ports of its server.N line between all servers.',
    look: ({ closedPorts, servers }) =>
      closedPorts.flatMap(({ sid, place, reason }) => {
        const server = servers.find((one) => one.sid === sid);
        // who is down has its ports closed, too
        if (server !== undefined && server.health === 'silent') return [];
        const where = server === undefined ? `server ${sid}` : nameOf(server);
        return [{ where, severity: 'warning' as const, seen: `${placeText(place)}: ${reason}` }];
      }),
  },
  {
    name: 'mixed-versions',
    advice:
      'Fine while one replaces the other, one server at a time; not for long: finish the replacement.',
    look: ({ servers }) => {
      const versions = new Set(servers.flatMap(({ version }) => (version === null ? [] : version)));
      if (versions.size < 2) return [];
      return [{ where: null, severity: 'note', seen: [...versions].sort().join(', ') }];
    },
  },
  {
    name: 'known-data-loss',
    advice:
      'Releases before 3.9.5 can lose acknowledged writes when servers fail at the wrong moment ' +
      '(ZOOKEEPER-4394, 4712, 4925; 3.9.3 most of all): replace it.',
    look: (examination) =>
      ofEach(examination, 'warning', ({ version }) =>
        version !== null && isOlder(version, [3, 9, 5]) === true ? `runs ${version}` : null,
      ),
  },
  {
    name: 'digests-differ',
    advice:
      'Its tree is not what the leader had after the same transaction: take it out of the connect ' +
      'strings, keep its data directory for the analysis, and let it come back empty.',
    look: (examination) =>
      ofEach(examination, 'critical', (server) => {
        const count = figure(server, 'digest_mismatches_count') ?? 0;
        return count > 0 ? `${count} digests did not agree` : null;
      }),
  },
];

function sidsOf(members: NonNullable<Examination['members']>): string {
  return [...members.servers.keys()].sort((a, b) => a - b).join(',');
}
