/**
 * The configuration of a server: read once, from every place that Apache's users set it, checked as
 * a whole, and passed on. There are no globals and nobody else reads the environment.
 *
 * Precedence: defaults < ZOO_* environment (only where there is no zoo.cfg) < zoo.cfg < the dynamic
 * file < -D. All problems are told at once, each with its line. Keys that mean nothing to anybody
 * become properties, told by one warning.
 */
import { parseEnsemble } from './ensemble-config.js';
import type { EnsembleConfig } from './ensemble-config.js';
import { readImageEnvironment } from './image-environment.js';
import { parseProperties } from './java-properties.js';
import { isPlainPropertyOfOurs, refusalOf, roleOf } from './known-keys.js';
import type { KeyRole } from './known-keys.js';
import { enforcedSchemesOf, securityOf } from './security-config.js';
import type { SecurityConfig } from './security-config.js';
import { settingNameOf, settingNames, settings } from './settings.js';
import type { SettingName, SettingValues } from './settings.js';
import { readTlsConfig, wantsTls } from './tls-config.js';

export interface ServerConfig extends SettingValues {
  readonly ensemble: EnsembleConfig;
  readonly security: SecurityConfig;
  /** This server's number; null: there is none, as a standalone server may have it. */
  readonly myid: number | null;
  /** The file read, null when there was none, and its text as it stood. */
  readonly configFile: string | null;
  readonly initialConfig: string;
  /** Java's system properties as they would be: -D's and the keys nobody knows. May hold secrets. */
  readonly properties: ReadonlyMap<string, string>;
}

export interface ConfigProblem {
  /** Null: not a file's, but the environment's, -D's or what is missing. */
  readonly file: string | null;
  readonly line: number | null;
  readonly message: string;
}

export type ConfigResult =
  | { readonly config: ServerConfig; readonly warnings: readonly string[] }
  | { readonly problems: readonly ConfigProblem[] };

export interface ConfigInput {
  /** zoo.cfg; null where there is none (then, and only then, `env` is looked at). */
  readonly text: string | null;
  readonly file: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** -Dkey=value, the last of a repeated key. */
  readonly properties: ReadonlyMap<string, string>;
  /** What dynamicConfigFile names. */
  readonly dynamic?: { readonly text: string; readonly file: string };
  /** The text of `myid` in dataDir; null or absent: no such file. */
  readonly myid?: string | null;
}

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly file: string | null;
  readonly line: number | null;
  /** Put before the message where no line can be named. */
  readonly origin: string;
  readonly layer: 'environment' | 'file' | 'dynamic' | 'property';
}

export function formatProblem(problem: ConfigProblem): string {
  const { file, line, message } = problem;
  if (file === null) return message;
  return line === null ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}

export function parseConfig(input: ConfigInput): ConfigResult {
  return new ConfigReader(input).read();
}

/**
 * Keys and values as they stand after precedence, right or wrong: for finding the files that a
 * configuration names, and for scripts that need one value of a file that has problems elsewhere.
 */
export function rawSettings(input: ConfigInput): ReadonlyMap<string, string> {
  return new ConfigReader(input).raw();
}

/**
 * A configuration without a file, for servers inside a program: the settings given over Apache's
 * defaults. Throws when they contradict each other.
 */
export function configOf(given: Partial<SettingValues>): ServerConfig {
  const properties = new Map<string, string>();
  for (const name of settingNames) {
    const value = given[name];
    if (value !== undefined)
      properties.set(`zookeeper.${settings[name].key}`, writeSetting(name, value));
  }
  const result = parseConfig({ text: null, file: null, env: {}, properties });
  if ('config' in result) return { ...result.config, properties: new Map() };
  throw new TypeError(result.problems.map(formatProblem).join('; '));
}

/** The text of one setting, as zoo.cfg would have it. */
export function writeSetting<Name extends SettingName>(
  name: Name,
  value: SettingValues[Name],
): string {
  const setting = settings[name] as { write(value: SettingValues[Name]): string };
  return setting.write(value);
}

const missingProviders: ReadonlyMap<string, string> = new Map([
  ['sasl', 'authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider'],
  ['x509', 'secureClientPort'],
]);

const memberKey = /^(?:server\.|group|weight)/;

/** The keys that Apache does not turn into system properties. */
const nativeKeys =
  /^(?:data(?:Log)?Dir|clientPort(?:Address|ListenBacklog)?|secureClientPort(?:Address)?|tickTime|(?:min|max)SessionTimeout|maxClientCnxns|(?:autopurge|jvm\.pause|metricsProvider)\..*)$/;

class ConfigReader {
  readonly #input: ConfigInput;
  readonly #problems: ConfigProblem[] = [];
  readonly #warnings: string[] = [];
  readonly #properties = new Map<string, string>();
  readonly #byRole = new Map<KeyRole, Map<string, Entry>>();

  constructor(input: ConfigInput) {
    this.#input = input;
  }

  raw(): ReadonlyMap<string, string> {
    const environment = readImageEnvironment(this.#input.env);
    for (const entry of this.#entries(environment.entries)) this.#sort(entry);
    const entries = [...this.#ofRole('setting').values(), ...this.#ofRole('ensemble').values()];
    return new Map(entries.map(({ key, value }) => [key, value]));
  }

  read(): ConfigResult {
    const environment = readImageEnvironment(this.#input.env);
    for (const entry of this.#entries(environment.entries)) this.#sort(entry);
    this.#checkPlaces();
    const members = parseEnsemble(this.#ofRole('ensemble').values(), (entry, message) => {
      this.#problem(entry, message);
    });
    const ensemble = { ...members, version: this.#versionOf(members) };
    const values = this.#readSettings();
    const environmentId = this.#input.text === null ? environment.myid : null;
    const myid = this.#readMyid(this.#input.myid ?? environmentId, ensemble);
    const resolved = this.#resolve(values, ensemble, myid);
    const security = securityOf(this.#ofRole('security').values(), values);
    this.#checkRefused(resolved);
    this.#checkTls(values);
    this.#checkEnforcedSchemes(values, security);
    this.#warnOfOthers(ensemble.isDistributed);
    if (this.#problems.length > 0) return { problems: inOrder(this.#problems) };
    const config: ServerConfig = {
      ...resolved,
      ensemble,
      security,
      myid,
      configFile: this.#input.file,
      initialConfig: this.#input.text ?? '',
      properties: this.#properties,
    };
    return { config, warnings: this.#warnings };
  }

  /** All entries, later ones over earlier ones. */
  *#entries(
    environment: readonly { key: string; value: string; variable: string }[],
  ): Generator<Entry> {
    const { text, file, dynamic, properties } = this.#input;
    if (text === null) {
      for (const { key, value, variable } of environment) {
        yield { key, value, file: null, line: null, origin: `${variable}: `, layer: 'environment' };
      }
    } else {
      yield* this.#fileEntries(text, file ?? 'zoo.cfg', 'file');
    }
    if (dynamic !== undefined) yield* this.#fileEntries(dynamic.text, dynamic.file, 'dynamic');
    for (const [name, value] of properties) {
      this.#properties.set(name, value);
      const isOurs = name.startsWith('zookeeper.');
      if (!isOurs && !isPlainPropertyOfOurs(name)) continue;
      const key = isOurs ? name.slice('zookeeper.'.length) : name;
      yield { key, value, file: null, line: null, origin: `-D${name}: `, layer: 'property' };
    }
  }

  *#fileEntries(text: string, file: string, layer: 'file' | 'dynamic'): Generator<Entry> {
    const { entries, problems } = parseProperties(text);
    for (const { line, message } of problems) this.#problems.push({ file, line, message });
    const seen = new Map<string, number>();
    for (const { key, value, line } of entries) {
      const earlier = seen.get(key);
      if (earlier !== undefined) {
        this.#warnings.push(`${file}:${line}: ${key} stands twice, line ${earlier} is not used`);
      }
      seen.set(key, line);
      const entry: Entry = { key: key.trim(), value, file, line, origin: '', layer };
      if (layer === 'dynamic' && entry.key === 'version') {
        // the version of a dynamic file is in its name
        this.#problem(entry, 'version does not belong into the dynamic file');
      } else if (layer === 'dynamic' && !memberKey.test(entry.key)) {
        this.#problem(entry, `${entry.key} does not belong into the dynamic file`);
      } else {
        yield entry;
      }
    }
  }

  #sort(raw: Entry): void {
    const entry = { ...raw, value: raw.value.trim() };
    const role = roleOf(entry.key, entry.value);
    const entries = this.#byRole.get(role) ?? new Map<string, Entry>();
    this.#byRole.set(role, entries);
    // a later entry may change its role: off after on
    for (const others of this.#byRole.values()) others.delete(entry.key);
    entries.set(entry.key, entry);
    if (role !== 'ensemble' && !nativeKeys.test(entry.key)) {
      this.#properties.set(`zookeeper.${entry.key}`, entry.value);
    }
  }

  /** Members stand in the dynamic file when there is one. */
  #checkPlaces(): void {
    const entries = this.#ofRole('ensemble');
    if (!entries.has('dynamicConfigFile')) return;
    for (const entry of entries.values()) {
      if (entry.layer === 'file' && memberKey.test(entry.key)) {
        this.#problem(entry, `${entry.key} belongs into the dynamic file, as there is one`);
      }
    }
  }

  #ofRole(role: KeyRole): ReadonlyMap<string, Entry> {
    return this.#byRole.get(role) ?? new Map<string, Entry>();
  }

  #problem(entry: Entry | null, message: string): void {
    if (entry === null) {
      this.#problems.push({ file: this.#input.file, line: null, message });
      return;
    }
    const { file, line, origin } = entry;
    this.#problems.push({ file, line, message: `${origin}${message}` });
  }

  #readSettings(): SettingValues {
    const values: Record<string, unknown> = {};
    for (const name of settingNames) values[name] = settings[name].initial;
    for (const entry of this.#ofRole('setting').values()) {
      const name = settingNameOf(entry.key);
      if (name === null) continue;
      const setting = settings[name];
      const reading = setting.read(entry.value);
      if (!reading.ok) {
        this.#problem(entry, `${entry.key}: ${reading.reason}`);
        continue;
      }
      values[name] = reading.value;
      if (reading.warning !== undefined) this.#warn(entry, `${entry.key}: ${reading.warning}`);
      if (setting.onlyPropertyInApache && entry.layer === 'file') {
        this.#warn(
          entry,
          `${entry.key} is honoured here; Apache reads it only from -D${entry.key}`,
        );
      }
    }
    return values as unknown as SettingValues;
  }

  #warn(entry: Entry, message: string): void {
    const at = entry.file === null ? entry.origin : `${entry.file}:${entry.line ?? 0}: `;
    this.#warnings.push(`${at}${message}`);
  }

  /** Of a dynamic file, the end of its name in hexadecimal: zoo.cfg.dynamic.100000000. */
  #versionOf(ensemble: EnsembleConfig): bigint {
    const { dynamic } = this.#input;
    if (dynamic === undefined) return ensemble.version;
    const hexadecimal = /\.([0-9a-fA-F]{1,16})$/.exec(dynamic.file)?.[1];
    return hexadecimal === undefined ? 0n : BigInt(`0x${hexadecimal}`);
  }

  #readMyid(text: string | null, ensemble: EnsembleConfig): number | null {
    if (text === null) {
      if (ensemble.isDistributed) {
        this.#problem(null, 'there is no myid file in dataDir, and an ensemble needs it');
      }
      return null;
    }
    const firstLine = (text.split(/\r\n|\n|\r/)[0] ?? '').trim();
    const myid = /^-?\d{1,15}$/.test(firstLine) ? Number(firstLine) : null;
    if (myid === null) this.#problem(null, `myid: '${firstLine}' is not a number`);
    return myid;
  }

  /** Fills in what depends on other settings, and checks how they agree. */
  #resolve(values: SettingValues, ensemble: EnsembleConfig, myid: number | null): SettingValues {
    const { dataDir, tickTimeMs, juteMaxBufferBytes, juteMaxBufferExtraBytes: extra } = values;
    if (dataDir === '') this.#problem(null, 'dataDir is not set');
    const chosen = (timeoutMs: number, ticks: number): number =>
      timeoutMs === -1 ? tickTimeMs * ticks : timeoutMs;
    const minSessionTimeoutMs = chosen(values.minSessionTimeoutMs, 2);
    const maxSessionTimeoutMs = chosen(values.maxSessionTimeoutMs, 20);
    if (minSessionTimeoutMs > maxSessionTimeoutMs) {
      const message = `minSessionTimeout ${minSessionTimeoutMs} is larger than maxSessionTimeout ${maxSessionTimeoutMs}`;
      const given = this.#ofRole('setting');
      this.#problem(
        given.get('minSessionTimeout') ?? given.get('maxSessionTimeout') ?? null,
        message,
      );
    }
    if (!values.adminCommandUrl.startsWith('/')) {
      const entry = this.#ofRole('setting').get('admin.commandURL') ?? null;
      this.#problem(entry, `admin.commandURL: '${values.adminCommandUrl}' does not begin with '/'`);
    }
    const alwaysEnabled = values.readOnlyModeEnabled ? ['srvr', 'isro'] : ['srvr'];
    return {
      ...values,
      ...this.#clientAddress(values, ensemble, myid),
      dataLogDir: values.dataLogDir === '' ? dataDir : values.dataLogDir,
      minSessionTimeoutMs,
      maxSessionTimeoutMs,
      juteMaxBufferExtraBytes: Math.max(extra === -1 ? juteMaxBufferBytes : extra, 1024),
      fourLetterWhitelist: new Set([...values.fourLetterWhitelist, ...alwaysEnabled]),
    };
  }

  /** From clientPort, or from the end of this server's own server.N line; they must not disagree. */
  #clientAddress(
    values: SettingValues,
    ensemble: EnsembleConfig,
    myid: number | null,
  ): Pick<SettingValues, 'clientPort' | 'clientPortAddress'> {
    const given = this.#ofRole('setting');
    const portEntry = given.get('clientPort');
    const { clientPort, clientPortAddress } = values;
    // without a myid file the only server there is can be no other than this one
    const [only, another] = [...ensemble.servers.values()];
    const own = myid === null ? (another ? undefined : only) : ensemble.servers.get(myid);
    const client = own?.client ?? null;
    if (client === null) {
      if (portEntry !== undefined || this.#input.text === null) {
        return { clientPort, clientPortAddress };
      }
      // who has a port with TLS need not have another
      if (values.secureClientPort === -1) this.#problem(null, 'clientPort is not set');
      return { clientPort: -1, clientPortAddress };
    }
    const listensEverywhere = clientPortAddress === null || clientPortAddress === '0.0.0.0';
    const differs =
      clientPort !== client.port || (!listensEverywhere && clientPortAddress !== client.host);
    if (portEntry !== undefined && differs && portEntry.layer !== 'property') {
      const stated = `${client.host}:${client.port}`;
      this.#problem(portEntry, `clientPort and server.${own?.sid ?? 0} (${stated}) disagree`);
    }
    if (portEntry?.layer === 'property') return { clientPort, clientPortAddress };
    return { clientPort: client.port, clientPortAddress: client.host };
  }

  #checkTls(values: SettingValues): void {
    const given = this.#ofRole('setting');
    const addressEntry = given.get('secureClientPortAddress');
    if (addressEntry !== undefined && values.secureClientPort === -1) {
      this.#problem(addressEntry, 'secureClientPortAddress is set, and secureClientPort is not');
    }
    if (!wantsTls(values)) return;
    const result = readTlsConfig(values);
    if ('tls' in result) return;
    for (const { key, message } of result.problems) this.#problem(given.get(key) ?? null, message);
  }

  /** Whoever may not be let in without a scheme must be able to prove it. */
  #checkEnforcedSchemes(values: SettingValues, { schemes }: SecurityConfig): void {
    const given = this.#ofRole('setting');
    const enforced = enforcedSchemesOf(values);
    if (enforced === null) return;
    const switchKey = values.sessionRequireClientSaslAuth
      ? 'sessionRequireClientSASLAuth'
      : 'enforce.auth.enabled';
    if (enforced.length === 1 && enforced[0] === '') {
      const entry = given.get('enforce.auth.enabled') ?? null;
      this.#problem(entry, 'enforce.auth.enabled needs enforce.auth.schemes');
      return;
    }
    const known: ReadonlySet<string> = new Set(['digest', 'ip', ...schemes]);
    for (const scheme of enforced) {
      if (known.has(scheme)) continue;
      const entry = given.get('enforce.auth.schemes') ?? given.get(switchKey) ?? null;
      const what = `${entry?.key ?? switchKey}: there is no scheme ${scheme} here`;
      const missing = missingProviders.get(scheme);
      this.#problem(entry, missing === undefined ? what : `${what}; it comes with ${missing}`);
    }
  }

  #checkRefused(values: SettingValues): void {
    for (const entry of this.#ofRole('refused').values()) {
      // its doors are closed anyway
      if (entry.key.startsWith('admin.') && !values.adminServerEnabled) continue;
      this.#problem(entry, refusalOf(entry.key));
    }
  }

  #warnOfOthers(isDistributed: boolean): void {
    const list = (role: KeyRole): string => [...this.#ofRole(role).keys()].join(', ');
    const tell = (role: KeyRole, after: string): void => {
      if (this.#ofRole(role).size > 0) this.#warnings.push(`${list(role)}: ${after}`);
    };
    if (!isDistributed) tell('ensemble', 'of an ensemble; a standalone server does not use this');
    tell('notBuilt', 'not built yet, no effect');
    tell('noEffect', 'no effect on this server');
    tell('unknown', 'nobody knows this; kept as a property zookeeper.<key>');
    const provider = this.#ofRole('setting').get('metricsProvider.className');
    if (provider?.value.includes('prometheus') === true) {
      this.#warn(
        provider,
        'metrics are not exported to Prometheus yet; mntr and AdminServer have them',
      );
    }
    for (const key of this.#ofRole('unknown').keys()) {
      const meant = key.replace(/^zookeeper\./, '');
      if (meant !== key && roleOf(meant, '') !== 'unknown') {
        this.#warnings.push(`${key}: in zoo.cfg this is called ${meant}`);
      }
    }
  }
}

/** By file and line; what has none comes last. */
function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const last = '\uffff';
  return [...problems].sort((a, b) => {
    const [fileA, fileB] = [a.file ?? last, b.file ?? last];
    if (fileA !== fileB) return fileA < fileB ? -1 : 1;
    return (a.line ?? Number.MAX_VALUE) - (b.line ?? Number.MAX_VALUE);
  });
}
