/**
 * The admin commands that change something, which are Zabra's own: asked with POST, by somebody who
 * shows in the header `Authorization` who he is (`digest user:password`, or `ip` for the address that
 * he comes from) and may do everything at the root, as Apache's commands that change something are.
 */
import { Perms } from '../../protocol/perms.js';
import { JsonObject, type JsonValue } from './json.js';
import { Double } from '../metric.js';
import type { AdminAnswer, AdminRequest } from './admin-commands.js';
import { notServing } from './four-letter-answers.js';
import { isServing, type ProcessView, type ServerView } from './view.js';

export interface ChangingRequest extends AdminRequest {
  readonly remoteAddress: string;
}

type Fields = Readonly<Record<string, JsonValue>>;

const encoder = new TextEncoder();

export const changingCommandNames: readonly string[] = ['handover'];

/** Null: there is no such command here. */
export function runChangingCommand(
  name: string,
  request: ChangingRequest,
  view: ProcessView,
): Promise<AdminAnswer> | null {
  if (!changingCommandNames.includes(name)) return null;
  if (request.method !== 'POST') return answer(405, name, `${name} is asked with POST`);
  const server = isServing(view) ? view : null;
  if (server === null) return answer(503, name, notServing);
  const refusal = refusalOf(request, server);
  if (refusal !== null) return answer(refusal.status, name, refusal.error);
  return handOver(name, request, server);
}

function answer(
  status: number,
  name: string,
  error: string | null,
  fields: Fields = {},
): Promise<AdminAnswer> {
  const body = new JsonObject(Object.entries({ ...fields, command: name, error }));
  return Promise.resolve({ status, body });
}

/** Apache's answers, in Apache's words; null: it may. */
export function refusalOf(
  { authorization, remoteAddress }: ChangingRequest,
  server: ServerView,
): { readonly status: number; readonly error: string } | null {
  if (authorization === null) {
    return { status: 401, error: 'Auth info is missing for the command' };
  }
  const [scheme = '', shown, more] = authorization.split(' ');
  const isWhole = more === undefined && (shown !== undefined || scheme === 'ip');
  const proof = encoder.encode(scheme === 'ip' ? remoteAddress : (shown ?? ''));
  const isPermitted = isWhole ? server.permits(scheme, proof, '/', Perms.all) : null;
  if (isPermitted === null) return { status: 401, error: 'Not authenticated' };
  return isPermitted ? null : { status: 403, error: 'Not authorized' };
}

async function handOver(
  name: string,
  { params }: ChangingRequest,
  { ensemble }: ServerView,
): Promise<AdminAnswer> {
  if (ensemble === null) {
    return answer(409, name, 'this server stands alone: there is nobody to hand leadership to');
  }
  const wanted = params.get('to');
  if (wanted !== undefined && !/^\d{1,3}$/.test(wanted)) {
    return answer(400, name, `to is the number of a server, not '${wanted}'`);
  }
  const { leaderSid, members } = ensemble;
  const place = leaderSid === null ? undefined : members.servers.get(leaderSid);
  const before = {
    leader_id_before: leaderSid ?? -1,
    leader_ip_before: place?.addresses[0]?.host ?? '',
  };
  const done = await ensemble.handOver(wanted === undefined ? null : Number(wanted));
  if (!done.ok) return answer(409, name, done.reason, before);
  const after = { leader_id: done.leader, gap_ms: new Double(Math.round(done.gapMs * 10) / 10) };
  return answer(200, name, null, { ...before, ...after });
}
