/** `zabra/server`: a ZooKeeper server inside your own program. */
export { ZooServer, type ZooServerOptions } from './node/zoo-server.js';
export type { PeerConnection, ReplicaInfo, ServerState, ServerStatus } from './node/zoo-status.js';
export type { LocalRequest, Reply } from './server/local-session.js';
export type { ServerConfig } from './server/config/config.js';
