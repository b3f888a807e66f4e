/**
 * Everything that can be said to a balancer, by a program, in a configuration file or (most of it) on the
 * command line: one table, from which the check and the type follow. `docs/balancing.md` explains it to
 * operators. Nothing here knows files or sockets; the world puts them behind the names.
 */
import { subsetNames } from '../balance/subset.js';
import { isAddressExpression } from '../protocol/ip-address.js';
import { balancerPolicyNames } from './pool/backend-options.js';
import {
  either,
  flag,
  formatOptionProblem,
  list,
  mapOf,
  number,
  object,
  oneOf,
  text,
  textLike,
  whole,
  type OptionGiven,
  type OptionProblem,
  type OptionValue,
} from './option-kinds.js';
import { opOfName } from './telling/op-names.js';
import { rolePreferences } from './pool/roles.js';
import { balancerWords } from './telling/words.js';

const ms = whole(0, 0x7fffffff);
const bytes = whole(1, 0x7fffffff);
const count = whole(0);
const part = number(0);
const percent = number(0, 100);
const address = textLike('an address, or a network like 10.0.0.0/8', isAddressExpression);
const path = textLike('an absolute path', (given) => /^\/(?:.*[^/])?$/.test(given));
const selector = textLike(
  'the name of an operation, read or write',
  (given) => ['read', 'write'].includes(given.toLowerCase()) || opOfName(given) !== undefined,
);

const rate = object({ perSecond: number(0.001), burst: number(1), waitMs: ms }, ['perSecond']);
const clientLimits = object({ connections: count, rate, watches: count, requestBytes: bytes });

const listener = object(
  {
    /** host:port; a port alone means every address of this machine, port 0 any free one. */
    address: text,
    tls: flag,
    readOnly: flag,
    /** Clients come through proxies that tell their addresses. */
    proxyProtocol: object({ trusted: list(address), isRequired: flag }, ['trusted']),
  },
  ['address'],
);

const server = object({ address: text, zone: text, weight: part }, ['address']);

const guards = object({
  connections: count,
  perAddress: clientLimits,
  perIdentity: clientLimits,
  perClass: mapOf(clientLimits),
  paths: list(
    object(
      {
        prefix: path,
        ops: list(selector),
        action: oneOf(['deny', 'allow']),
        rate,
        watches: count,
        requestBytes: bytes,
      },
      ['prefix'],
    ),
  ),
  denyOps: list(selector),
});

const health = object({
  intervalMs: whole(10),
  retryMs: whole(10),
  jitter: number(0, 1),
  timeoutMs: whole(1),
  fallCount: whole(1),
  riseCount: whole(1),
  lagMaxMs: ms,
  outstandingMax: count,
});

const outliers = object({
  consecutiveErrors: whole(1),
  intervalMs: whole(1),
  baseEjectionTimeMs: ms,
  maxEjectionTimeMs: ms,
  maxEjectionPercent: percent,
  successRateMinimumHosts: whole(1),
  successRateRequestVolume: whole(1),
  successRateStdevFactor: part,
  failurePercentageThreshold: percent,
  failurePercentageMinimumHosts: whole(1),
  failurePercentageRequestVolume: whole(1),
});

const subsetRules = object({
  wakeIntervalMs: whole(1),
  sleepAfterMs: whole(1),
  calmAfterMs: ms,
  writesPerSecond: part,
  panicThresholdPercent: percent,
  lowLoad: part,
  highLoad: part,
  smoothMs: whole(1),
});

const keeping = object({
  requestBytesMax: bytes,
  replyBytesMax: bytes,
  handshakeTimeoutMs: whole(1),
  connectAttemptMs: whole(1),
  attachTimeoutMs: whole(1),
  firstAttachTimeoutMs: whole(1),
  retryDelayMs: whole(1),
  quiesceTimeoutMs: ms,
  inFlightBytesMax: bytes,
  pauseBytesMax: bytes,
  slowClientTimeoutMs: whole(1),
  relistNodesMax: count,
  relistNodesInAllMax: count,
});

const tls = object(
  {
    /** The private key with its certificates, in one file: PEM or PKCS12. */
    keyStore: text,
    keyPassword: text,
    keyPasswordFile: text,
    /** Who may sign clients' certificates. */
    trustStore: text,
    trustPassword: text,
    trustPasswordFile: text,
    /** `none` unless given: clients are not asked for certificates. */
    clientAuth: oneOf(['none', 'want', 'need']),
    minVersion: oneOf(['TLSv1.2', 'TLSv1.3']),
  },
  ['keyStore'],
);

const upstreamTls = object({
  caFile: text,
  certFile: text,
  keyFile: text,
  pfxFile: text,
  passphrase: text,
  serverName: text,
  verifyHostname: flag,
});

const registry = object({
  /** Where balancers meet, in the ensemble itself. */
  path,
  /** `digest:user:password`; the znodes are then open to this identity alone. */
  auth: text,
  sessionTimeoutMs: whole(1000),
});

export const optionsKind = object(
  {
    /** Where clients come. */
    listen: list(either(text, listener)),
    /** `host:port,…`, or `dns-srv://name`, or a list that also says zones and weights. */
    servers: either(text, list(server)),
    /** How names are looked up; `servers`: whom to ask before the system, `host` or `host:port`. */
    dns: object({ servers: list(text), refreshMs: whole(100) }),
    /** The list is what /zookeeper/config says; `servers` are where to begin. */
    followConfig: flag,
    /** What other balancers call this one; the first listener unless given. */
    name: text,

    policy: oneOf(balancerPolicyNames),
    /** `load`: servers that say that they have more to do get less. */
    weights: oneOf(['static', 'load']),
    roles: oneOf(rolePreferences),
    subset: oneOf(subsetNames),
    subsetRules,
    scope: oneOf(['local', 'ensemble']),
    /** False: this balancer knows of no others. */
    registry: either(registry, flag),
    /** Without a registry: the place of this balancer among all. */
    position: object({ index: count, count: whole(1) }, ['index', 'count']),
    panicThresholdPercent: percent,
    /** 0: a server that returns gets its whole part at once. */
    slowStartMs: ms,
    /** False: attaches that fail eject nobody. */
    outliers: either(outliers, flag),
    circuit: object({ sessionsMax: whole(1), attachesMax: whole(1) }),
    spillFactor: number(1),
    rebalance: object({ movesPerSecond: part, tolerance: part, movesMax: whole(1) }),
    health,

    /** Where this balancer is. */
    zone: text,
    /** Which clients are somewhere else, or of another class than `default`. */
    origins: list(object({ addresses: list(address), zone: text, class: text }, ['addresses'])),
    classes: object({
      weights: mapOf(number(0.001)),
      attachesMax: whole(1),
      /** Over all servers; unless given any number may be unanswered. */
      requestsMax: whole(1),
      waitingMax: count,
    }),

    mask: oneOf(['strict', 'best-effort', 'off']),
    /** What persistent watches missed at Apache's servers is found out by listing their znodes again. */
    relistPersistent: flag,
    /** The Apache servers behind it have local sessions, which die when they move. */
    hasLocalSessions: flag,
    keeping,
    guards,
    /** Zabra servers are told the clients' addresses. */
    sendProxy: oneOf(['v1', 'v2']),
    tls,
    /** Servers are reached by TLS. True: with what the system trusts. */
    upstreamTls: either(flag, upstreamTls),

    /** Four-letter words that are answered; `*`: all. */
    words: list(oneOf([...balancerWords, '*'])),
    metrics: object({
      /** A port for Prometheus alone. */
      listen: text,
      prefix: textLike('a name of letters, digits and _', (given) => /^[a-z_]\w*$/i.test(given)),
      latencyThresholdMs: part,
      latencyThresholdsMs: mapOf(part),
    }),
    /** False: there is no control endpoint. */
    control: either(object({ listen: text, file: text }), flag),
    accessLog: object({ file: text, requests: flag }, ['file']),
  },
  ['listen', 'servers'],
);

export type BalancerOptions = OptionGiven<typeof optionsKind>;

/** As they are once they have been read. */
export type ReadOptions = OptionValue<typeof optionsKind>;

/** All that is wrong with the options, one sentence each. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/** Throws OptionError. */
export function readOptions(given: unknown): ReadOptions {
  const problems: OptionProblem[] = [];
  const options = optionsKind.read(given, '', problems);
  if (problems.length === 0) checkTogether(options, problems);
  if (problems.length > 0) throw new OptionError(problems.map(formatOptionProblem));
  return options;
}

/** What each may be and both cannot. */
function checkTogether(options: ReadOptions, problems: OptionProblem[]): void {
  const { listen, tls: encryption, scope, registry: meeting } = options;
  const tell = (place: string, message: string): void => void problems.push({ place, message });
  for (const [at, one] of listen.entries()) {
    if (typeof one === 'string' || one.tls !== true) continue;
    const place = `listen[${at}]`;
    if (encryption === undefined) tell(place, 'a listener with TLS needs tls.keyStore');
    if (one.proxyProtocol !== undefined) {
      tell(
        place,
        'PROXY headers stand before the encryption, and are read on plain listeners only',
      );
    }
  }
  if (encryption?.clientAuth !== undefined && encryption.clientAuth !== 'none') {
    if (encryption.trustStore === undefined) {
      tell('tls.clientAuth', 'certificates of clients need tls.trustStore to be judged by');
    }
  }
  if (scope === 'ensemble' && meeting === false) {
    tell('scope', 'balancers agree by the registry, and registry is false');
  }
  if (options.position !== undefined && options.position.index >= options.position.count) {
    tell('position.index', 'counts from 0 to position.count - 1');
  }
  for (const name of Object.keys(options.metrics?.latencyThresholdsMs ?? {})) {
    if (opOfName(name) === undefined) {
      tell(`metrics.latencyThresholdsMs.${name}`, 'there is no such operation');
    }
  }
}
