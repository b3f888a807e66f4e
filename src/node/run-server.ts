/** One server with all that belongs to it in a process of its own: the client port and admin HTTP. */
import type { Logger } from '../ports/logger.js';
import type { ServerConfig } from '../server/config/config.js';
import { Server } from '../server/server.js';
import { startAdminServer } from './admin-http.js';
import { FlushWatchdog } from './flush-watchdog.js';
import { nodeWorld } from './world.js';

export interface RunningServer {
  readonly server: Server;
  readonly host: string;
  readonly clientPort: number;
  stop(): Promise<void>;
}

/** Rejects with a StartError (one clear line and an exit code) when the server cannot start. */
export async function runServer(
  config: ServerConfig,
  options: { readonly logger: Logger },
): Promise<RunningServer> {
  const { logger } = options;
  const { forceSync, fsyncHangLimitMs } = config;
  const isWatched = forceSync && fsyncHangLimitMs > 0;
  const watchdog = isWatched ? new FlushWatchdog(fsyncHangLimitMs) : null;
  const server = await Server.start(config, nodeWorld(logger, watchdog));
  const admin = config.adminServerEnabled ? await startAdminServer(server.view, logger) : null;
  return {
    server,
    host: server.address.host,
    clientPort: server.address.port,
    async stop() {
      await admin?.stop();
      await server.stop();
    },
  };
}
