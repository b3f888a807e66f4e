/** Our server as a child process, with the same face as Apache's (oracle.ts). */
import { join } from 'node:path';
import { repositoryRoot } from './machine.js';
import { startServer, type ServerOptions, type ServerProcess } from './server-process.js';

export async function startZabra(options: ServerOptions = {}): Promise<ServerProcess> {
  return await startServer(
    {
      program: process.execPath,
      arguments: (configFile, properties) => [
        join(repositoryRoot, 'bin', 'zabra'),
        'server',
        configFile,
        ...properties,
      ],
    },
    options,
  );
}
