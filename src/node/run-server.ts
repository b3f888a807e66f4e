/** One server with all that belongs to it in a process of its own: the client port and admin HTTP. */
import type { Logger } from '../ports/logger.js';
import type { ServerConfig } from '../server/config/config.js';
import { whyNoAutopilot } from '../server/ensemble/autopilot-lead.js';
import { Member } from '../server/ensemble/member.js';
import type { ConfigStore } from '../server/ensemble/membership.js';
import { Server } from '../server/server.js';
import { startAdminServer } from './admin-http.js';
import { FileConfigStore } from './config-store.js';
import { FlushWatchdog } from './flush-watchdog.js';
import { secureNetworks, withUsers } from './secure-world.js';
import { nodeWorld } from './world.js';

export interface RunningProcess {
  readonly host: string;
  readonly clientPort: number;
  stop(): Promise<void>;
}

export interface RunningServer extends RunningProcess {
  readonly server: Server;
}

export interface RunningMember extends RunningProcess {
  readonly member: Member;
}

/** Rejects with a StartError (one clear line and an exit code) when the server cannot start. */
export async function runServer(
  given: ServerConfig,
  options: { readonly logger: Logger },
): Promise<RunningServer> {
  const { logger } = options;
  const config = withUsers(given, logger);
  const world = {
    ...nodeWorld(logger, watchdogFor(config)),
    ...secureNetworks(config, logger),
  };
  let server = await Server.start(config, world);
  server.onSuccessor = (next) => {
    server = next;
  };
  const admin = config.adminServerEnabled
    ? await startAdminServer(config, () => server.view, logger)
    : null;
  return {
    get server() {
      return server;
    },
    host: server.address.host,
    clientPort: server.address.port,
    async stop() {
      await admin?.stop();
      await server.stop();
    },
  };
}

/** One server of an ensemble. Rejects with a StartError when it cannot start. */
export async function runMember(
  given: ServerConfig,
  options: {
    readonly logger: Logger;
    /** Where its configurations are kept; absent: beside its zoo.cfg. */
    readonly configStore?: ConfigStore;
  },
): Promise<RunningMember> {
  const { logger } = options;
  const config = withUsers(given, logger);
  const { configFile, ensemble } = config;
  const configStore =
    configFile === null || !ensemble.reconfigEnabled
      ? null
      : new FileConfigStore(configFile, ensemble.dynamicConfigFile !== null);
  const world = {
    ...nodeWorld(logger, watchdogFor(config)),
    ...secureNetworks(config, logger),
    configStore: options.configStore ?? configStore,
  };
  const why = whyNoAutopilot(config);
  if (why !== null) logger.warn(why);
  const member = await Member.start(config, world);
  const admin = config.adminServerEnabled
    ? await startAdminServer(config, () => member.view, logger)
    : null;
  return {
    member,
    host: member.address.host,
    clientPort: member.address.port,
    async stop() {
      await admin?.stop();
      await member.stop();
    },
  };
}

function watchdogFor({ forceSync, fsyncHangLimitMs }: ServerConfig): FlushWatchdog | null {
  return forceSync && fsyncHangLimitMs > 0 ? new FlushWatchdog(fsyncHangLimitMs) : null;
}
