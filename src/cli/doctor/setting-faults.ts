/** What the configuration will bring about one day, as servers tell it and as it lies on this host. */
import { nameOf, type Examination, type HostSight } from './examination.js';
import type { Fault, Finding } from './fault.js';

const FREE_SHARE_MIN = 0.1;
const FREE_BYTES_MIN = 2 ** 30;
const FILES_MAX = 20;

const compared = [
  'tickTime',
  'initLimit',
  'syncLimit',
  'minSessionTimeout',
  'maxSessionTimeout',
] as const;

function onHost(
  { host }: Examination,
  severity: Finding['severity'],
  see: (host: HostSight) => string | null,
): Finding[] {
  const seen = host === null ? null : see(host);
  return host === null || seen === null ? [] : [{ where: host.configFile, severity, seen }];
}

export const settingFaults: readonly Fault[] = [
  {
    name: 'timings-differ',
    advice:
      'Which timeout a session gets, and when a follower is given up, depends on who leads: give all ' +
      'servers the same values.',
    look: ({ servers }) =>
      compared.flatMap((key) => {
        const byValue = new Map<string, string[]>();
        for (const server of servers) {
          const value = server.settings.get(key);
          if (value === undefined) continue;
          byValue.set(value, [...(byValue.get(value) ?? []), nameOf(server)]);
        }
        if (byValue.size < 2) return [];
        const said = [...byValue].map(([value, names]) => `${value} at ${names.join(', ')}`);
        const finding: Finding = {
          where: null,
          severity: 'warning',
          seen: `${key}: ${said.join('; ')}`,
        };
        return [finding];
      }),
  },
  {
    name: 'words-hidden',
    advice:
      'Much of what is looked for here is told by mntr and conf: allow them with ' +
      '4lw.commands.whitelist=srvr,mntr,conf,ruok.',
    look: ({ servers }) =>
      servers.flatMap((server) =>
        server.health === 'serving' && (server.figures.size === 0 || server.settings.size === 0)
          ? [
              {
                where: nameOf(server),
                severity: 'note' as const,
                seen: `does not answer ${server.figures.size === 0 ? 'mntr' : 'conf'}`,
              },
            ]
          : [],
      ),
  },
  {
    name: 'disk-nearly-full',
    advice:
      'A server whose log cannot grow stops: make room, let autopurge run more often, or move ' +
      'dataLogDir.',
    look: (examination) =>
      onHost(examination, 'critical', ({ freeBytes, totalBytes, dataDir }) =>
        freeBytes < FREE_BYTES_MIN || freeBytes < FREE_SHARE_MIN * totalBytes
          ? `${(freeBytes / 2 ** 30).toFixed(1)} GiB of ${(totalBytes / 2 ** 30).toFixed(1)} are free under ${dataDir}`
          : null,
      ),
  },
  {
    name: 'purge-off',
    advice:
      'Snapshots and logs pile up until the disk is full: set autopurge.purgeInterval=24, or run ' +
      '`zabra purge` from cron.',
    look: (examination) =>
      onHost(examination, 'warning', ({ purgeIntervalHours, snapshotFiles, logFiles }) =>
        purgeIntervalHours === 0 && snapshotFiles + logFiles > FILES_MAX
          ? `autopurge is off, and there are ${snapshotFiles} snapshots and ${logFiles} logs`
          : null,
      ),
  },
  {
    name: 'flushes-off',
    advice:
      'A power failure loses writes that were acknowledged, and a server that lost some can elect a ' +
      'leader without them: take forceSync=no out.',
    look: (examination) =>
      onHost(examination, 'critical', ({ isFlushing }) => (isFlushing ? null : 'forceSync=no')),
  },
  {
    name: 'myid-wrong',
    advice: 'The server does not start: write its number, 1 to 255, into myid in its dataDir.',
    look: (examination) =>
      onHost(examination, 'critical', ({ myid, sids, dataDir }) => {
        if (sids.length < 2) return null;
        if (myid === null) return `there is no myid in ${dataDir}`;
        return sids.includes(Number(myid))
          ? null
          : `myid is ${myid}, and server.N lines are there for ${sids.join(', ')}`;
      }),
  },
];
