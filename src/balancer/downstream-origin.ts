/** A client as it came: by which of our ports, from where, and what that makes of it. */
import type { Socket } from '../ports/network.js';
import { addressMatches } from '../protocol/ip-address.js';
import type { OriginRule } from './balancer-settings.js';
import type { Arrival } from './first-bytes.js';
import type { GuardedConnection } from './guards/guards.js';
import type { ClientOrigin } from './keeping/keeping-types.js';

export const classDefault = 'default';

export class DownstreamOrigin implements ClientOrigin {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly zone: string | null;
  readonly class: string;
  readonly isTls: boolean;
  readonly certificateSubject: string | null;
  readonly guarded: GuardedConnection;
  readonly ticket: Arrival['ticket'];

  constructor(socket: Socket, { guarded, ticket, place }: Arrival) {
    this.address = socket.remoteAddress;
    this.port = socket.remotePort;
    this.localAddress = socket.localAddress;
    this.localPort = socket.localPort;
    this.zone = place.zone;
    this.class = place.class;
    this.isTls = socket.tls !== undefined;
    this.certificateSubject = socket.tls?.subject ?? null;
    this.guarded = guarded;
    this.ticket = ticket;
  }
}

/** By the first rule that has the address. */
export function placeOf(
  address: string,
  rules: readonly OriginRule[],
  zoneDefault: string | null,
): { readonly zone: string | null; readonly class: string } {
  const rule = rules.find(({ addresses }) =>
    addresses.some((expression) => addressMatches(address, expression)),
  );
  return { zone: rule?.zone ?? zoneDefault, class: rule?.class ?? classDefault };
}
