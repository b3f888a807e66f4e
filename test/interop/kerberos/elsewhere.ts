/** Servers that are asked for what they do not have: a Kerberos login, or one by a password. */
import { startOracle } from '../../support/oracle.js';
import type { ServerOptions, ServerProcess } from '../../support/server-process.js';
import { startZabra } from '../../support/zabra-process.js';
import type { Tally } from '../ensemble/tally.js';
import { checkRefusal } from './refusals.js';
import type { Stage } from './stage.js';

const saslProvider = {
  'authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
};

export async function elsewhere(stage: Stage, tally: Tally): Promise<void> {
  const users = stage.file(
    'users-jaas.conf',
    'Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob="secret"; };\n',
  );
  const withUsers: ServerOptions = {
    config: saslProvider,
    properties: { 'java.security.auth.login.config': users },
  };
  const starts: [string, RegExp, () => Promise<ServerProcess>][] = [
    ['Apache without logins', /the server has no SASL login: /, () => startOracle('3.9.5')],
    [
      'Apache with passwords',
      /asks for a user and a password/,
      () => startOracle('3.9.5', withUsers),
    ],
    ['Zabra without logins', /the server has no SASL login: /, () => startZabra()],
    ['Zabra with passwords', /asks for a user and a password/, () => startZabra(withUsers)],
  ];
  for (const [what, says, start] of starts) {
    const server = await start();
    try {
      const task = { hosts: `localhost:${server.port}`, sasl: { gssapi: {} } };
      await checkRefusal(tally, { what, says: [says] }, await stage.user(task));
    } finally {
      await server.dispose();
    }
  }
  const server = await stage.startServer();
  try {
    const task = {
      hosts: `localhost:${server.port}`,
      sasl: { username: 'alice', password: 'secret' },
    };
    await checkRefusal(
      tally,
      {
        what: 'a password where Kerberos is wanted',
        says: [/DIGEST-MD5: the server refuses: .*Kerberos only/],
      },
      await stage.user(task),
    );
  } finally {
    await server.dispose();
  }
}
