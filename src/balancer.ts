/** `zabra/balancer`: the balancer as an object. */
export { Balancer, type BalancerSurroundings } from './node/balancer.js';
export { OptionError, type BalancerOptions } from './balancer/options.js';
export { ControlError } from './balancer/control-error.js';
export type {
  BalancerEventName,
  BalancerEvents,
  BalancerListener,
} from './balancer/telling/events.js';
export type {
  ClientOrigin,
  MaskMode,
  MoveOutcome,
  MoveReason,
  SessionState,
  SessionView,
} from './balancer/keeping/keeping-types.js';
export type {
  BalancerStatus,
  ListenerStatus,
  ServerStatus,
  SubsetStatus,
} from './balancer/telling/status.js';
export type { BackendKind, BackendSet } from './balancer/pool/backend.js';
