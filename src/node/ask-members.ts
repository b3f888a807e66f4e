/** Asks a server, as a client, who belongs to its ensemble: what `/zookeeper/config` holds there. */
import { sessionAt, type AskedServer } from './one-server.js';

/** Rejects when the server does not answer in time, or serves nobody now. */
export async function askMembers(server: AskedServer): Promise<string> {
  const client = await sessionAt(server);
  try {
    const { data } = await client.getConfig();
    return data.toString('utf8');
  } finally {
    await client.close();
  }
}
