/** Of the session and of the shell: addauth, whoami, version. */
import { done, type Answer, type Call } from '../command.js';
import { fullVersion } from '../../../server/version.js';

export async function addAuth(call: Call): Promise<Answer> {
  const [scheme = '', auth = ''] = call.args;
  await call.client.addAuth(scheme, auth, { signal: call.signal });
  return done;
}

export async function whoAmI(call: Call): Promise<Answer> {
  const identities = await call.client.whoAmI({ signal: call.signal });
  return {
    text: ['Auth scheme: User', ...identities.map(({ scheme, id }) => `${scheme}: ${id}`)].join(
      '\n',
    ),
    json: { identities },
  };
}

export function version(): Promise<Answer> {
  return Promise.resolve({
    text: `ZooKeeper CLI version: ${fullVersion}`,
    json: { version: fullVersion },
  });
}
