/** Servers with users and certificates: Apache's and ours from the same zoo.cfg and the same files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, repositoryRoot } from '../../support/machine.js';
import { startOracle } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import { startZabra } from '../../support/zabra-process.js';

export type Kind = 'apache' | 'zabra';

export const certificates = join(repositoryRoot, 'test', 'fixtures', 'tls');

const digest = 'org.apache.zookeeper.server.auth.DigestLoginModule required';

/** Users as the server's login file and the clients' have them. */
export const serverLogins = `// users of the tests
Server {
  ${digest}
    user_admin="root"
    user_bob="secret"
    user_eve=apple
    "user_müller"="grün\\"er,=\\\\";
};
`;

export const clientLogins = `
Bob { ${digest} username="bob" password="secret"; };
Eve { ${digest} username="eve" password="apple"; };
Admin { ${digest} username="admin" password="root"; };
Wrong { ${digest} username="bob" password="wrong"; };
Unknown { ${digest} username="nobody" password="secret"; };
Odd { ${digest} username="müller" password="grün\\"er,=\\\\"; };
`;

export interface SecureServer {
  readonly process: ServerProcess;
  readonly plain: string;
  readonly secure: string;
  /** A login file for clients. */
  readonly clientLogins: string;
  dispose(): Promise<void>;
}

export async function startSecure(
  kind: Kind,
  config: Readonly<Record<string, string | null>> = {},
): Promise<SecureServer> {
  const work = mkdtempSync(join(tmpdir(), 'security-'));
  const jaas = join(work, 'server-jaas.conf');
  const clients = join(work, 'client-jaas.conf');
  writeFileSync(jaas, serverLogins);
  writeFileSync(clients, clientLogins);
  const securePort = await freePort();
  const start = kind === 'apache' ? startOracle.bind(null, '3.9.5') : startZabra;
  const process = await start({
    config: {
      // Apache's other factory knows no TLS
      serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
      'authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
      superUser: 'admin',
      'X509AuthenticationProvider.superUser': 'CN=localhost,O=Zabra tests',
      secureClientPort: String(securePort),
      'ssl.keyStore.location': join(certificates, 'server.p12'),
      'ssl.keyStore.password': 'secret',
      'ssl.trustStore.location': join(certificates, 'ca.p12'),
      'ssl.trustStore.password': 'secret',
      ...config,
    },
    properties: { 'java.security.auth.login.config': jaas },
  });
  return {
    process,
    plain: `127.0.0.1:${process.port}`,
    secure: `localhost:${securePort}`,
    clientLogins: clients,
    async dispose() {
      await process.dispose();
      rmSync(work, { recursive: true, force: true });
    },
  };
}
