/** The client on Node: real sockets, real time, the system's resolver. */
import { Client as AnyClient } from '../client/client.js';
import type { ClientOptions, SessionTicket } from '../client/types.js';
import { clientWorld } from './client-world.js';

export class Client extends AnyClient {
  constructor(connectString: string, options: ClientOptions = {}) {
    super(connectString, options, clientWorld(options));
  }

  /**
   * Attaches to the session that was left with `detach`. Rejects with `SessionExpiredError` when it
   * is over, unless `recreateSession` asks for a new one in its place.
   */
  static async resume(ticket: SessionTicket, options: ClientOptions = {}): Promise<Client> {
    const client = new Client(ticket.connectString, {
      sessionTimeoutMs: ticket.timeoutMs,
      recreateSession: false,
      ...options,
    });
    client.adopt(ticket);
    try {
      return await client.connect();
    } catch (error) {
      await client.close();
      throw error;
    }
  }
}
