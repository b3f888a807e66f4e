/** The admin commands that speak of the ensemble: who leads, who votes, who learns from whom. */
import type { EnsembleServer } from '../config/ensemble-config.js';
import type { LearnerView } from './ensemble-view.js';
import { wallOf } from './four-letter-answers.js';
import { JsonList, JsonObject, type JsonValue } from './json.js';
import { ensembleOf, servingStep, votersOf } from './monitor.js';
import { formatAddress, hex } from './text.js';
import type { ServerView } from './view.js';

type Field = readonly [name: string, value: JsonValue];

const EVERY_ADDRESS = '0.0.0.0';

export function leader(view: ServerView): Field[] {
  const ensemble = ensembleOf(view);
  if (ensemble === null) return [['error', 'server is not initialized']];
  const { leaderSid, members, sid } = ensemble;
  const server = leaderSid === null ? undefined : members.servers.get(leaderSid);
  return [
    ['is_leader', leaderSid === sid],
    ['leader_id', leaderSid ?? -1],
    ['leader_ip', server?.addresses[0]?.host ?? ''],
  ];
}

export function observers(view: ServerView): Field[] {
  const ensemble = ensembleOf(view);
  if (ensemble === null) {
    return [
      ['synced_observers', 0],
      ['observers', new JsonList([])],
    ];
  }
  const learners = [...ensemble.observers()];
  return [
    ['synced_observers', ensemble.observerCount ?? 0],
    ['observers', new JsonList(learners.map((learner) => learnerFields(learner, view)))],
  ];
}

function learnerFields(learner: LearnerView, view: ServerView): JsonObject {
  return new JsonObject([
    ['remote_socket_address', `/${formatAddress(learner.remoteAddress)}:${learner.remotePort}`],
    ['sid', learner.sid],
    ['established', wallOf(view, learner.establishedMs)],
    ['queued_packets', learner.queuedPackets],
    ['queued_packets_size', learner.queuedBytes],
    ['packets_received', learner.packetsReceived],
    ['packets_sent', learner.packetsSent],
    ['requests', learner.requests],
    ['last_zxid', learner.lastZxid],
  ]);
}

export function votingView(view: ServerView): Field[] {
  const ensemble = ensembleOf(view);
  const voters = ensemble === null ? [] : votersOf(ensemble);
  const fields = voters.map((server): Field => {
    const { sid, addresses, role } = server;
    const all = (port: 'quorumPort' | 'electionPort'): JsonList =>
      new JsonList(addresses.map((address) => `${bracketed(address.host)}:${address[port]}`));
    return [
      String(sid),
      new JsonObject([
        ['server_addresses', all('quorumPort')],
        ['election_addresses', all('electionPort')],
        ['client_address', clientAddressOf(view, server)],
        ['learner_type', role],
      ]),
    ];
  });
  return [['current_config', new JsonObject(fields)]];
}

/** `ensemble` null: a server that stands alone, or has no role now. */
export function zabState(view: ServerView | null): Field[] {
  const ensemble = view === null ? null : ensembleOf(view);
  if (view === null || ensemble === null) {
    return [
      ['voting', false],
      ['zabstate', ''],
    ];
  }
  const { sid, members } = ensemble;
  const own = members.servers.get(sid);
  const { lastZxid } = view.figures();
  return [
    ['myid', sid],
    ['is_leader', ensemble.leading !== null],
    ['quorum_address', addressesOf(own, 'quorumPort')],
    ['election_address', addressesOf(own, 'electionPort')],
    ['client_address', own === undefined ? '' : clientAddressOf(view, own)],
    ['voting', own?.role === 'participant'],
    ['last_zxid', `0x${hex(lastZxid)}`],
    ['zab_epoch', Number(BigInt.asUintN(32, lastZxid >> 32n))],
    ['zab_counter', Number(BigInt.asUintN(32, lastZxid))],
    ['zabstate', servingStep],
  ];
}

/** Apache tells each address in every way in which it can be asked of its own object. */
function addressesOf(
  server: EnsembleServer | undefined,
  port: 'quorumPort' | 'electionPort',
): JsonObject {
  const addresses = server?.addresses ?? [];
  const all = addresses.map((address) => `${bracketed(address.host)}:${address[port]}`);
  const ports = addresses.map((address) => address[port]);
  const first = all[0] ?? '';
  return new JsonObject([
    ['empty', all.length === 0],
    ['all_addresses', new JsonList(all)],
    ['wildcard_addresses', new JsonList(ports.map((one) => `${EVERY_ADDRESS}:${one}`))],
    ['all_ports', new JsonList(ports)],
    ['all_host_strings', new JsonList(addresses.map(({ host }) => host))],
    ['reachable_address', first],
    ['all_reachable_addresses', new JsonList(all)],
    ['all_reachable_addresses_or_all', new JsonList(all)],
    ['reachable_or_one', first],
    ['one', first],
  ]);
}

/** Of another server it is only known where the configuration says so. */
function clientAddressOf(
  { config, clientPort, ensemble }: ServerView,
  server: EnsembleServer,
): string {
  const { client } = server;
  if (client !== null) return `${bracketed(client.host)}:${client.port}`;
  if (server.sid !== ensemble?.sid) return '';
  return `${bracketed(config.clientPortAddress ?? EVERY_ADDRESS)}:${clientPort}`;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

export function resetObservers({ ensemble }: ServerView): Field[] {
  ensemble?.resetObservers();
  return [];
}
