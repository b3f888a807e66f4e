/**
 * Who may come in, as the configuration says it: which schemes of ACLs there are besides digest and
 * ip, who is the super user, which users SASL knows. Read from keys that come in any number
 * (`authProvider.1`, `superUser.admin`), and from Java's login file.
 */
import { JaasError, parseJaas } from './jaas.js';
import type { ConfigFiles } from './load-config.js';
import type { ConfigProblem, ServerConfig } from './config.js';
import type { SettingValues } from './settings.js';
import { wantsTls } from './tls-config.js';

export interface SecurityConfig {
  /** Their classes are registered, so ACLs may name them. */
  readonly schemes: ReadonlySet<'sasl' | 'x509'>;
  /** Users of SASL who are allowed everything. */
  readonly superUsers: ReadonlySet<string>;
  /** Passwords by user; null: nobody can log in by SASL, or the file has not been read. Secrets. */
  readonly users: ReadonlyMap<string, string> | null;
}

const providerClasses: ReadonlyMap<string, 'builtIn' | 'sasl' | 'x509'> = new Map([
  ['org.apache.zookeeper.server.auth.DigestAuthenticationProvider', 'builtIn'],
  ['org.apache.zookeeper.server.auth.IPAuthenticationProvider', 'builtIn'],
  ['org.apache.zookeeper.server.auth.SASLAuthenticationProvider', 'sasl'],
  ['org.apache.zookeeper.server.auth.X509AuthenticationProvider', 'x509'],
]);

/** What `authProvider.<n>` registers; undefined: a class that is not here. */
export function providerOf(className: string): 'builtIn' | 'sasl' | 'x509' | undefined {
  return providerClasses.get(className);
}

export function isSecurityKey(key: string): boolean {
  return /^(?:authProvider\.|superUser$|superUser\.)/u.test(key);
}

export function securityOf(
  entries: Iterable<{ readonly key: string; readonly value: string }>,
  values: SettingValues,
): SecurityConfig {
  const schemes = new Set<'sasl' | 'x509'>();
  const superUsers = new Set<string>();
  for (const { key, value } of entries) {
    if (!key.startsWith('authProvider.')) {
      if (value !== '') superUsers.add(value);
      continue;
    }
    const provider = providerOf(value);
    if (provider !== undefined && provider !== 'builtIn') schemes.add(provider);
  }
  // a port with TLS brings its provider along
  if (wantsTls(values)) schemes.add('x509');
  return { schemes, superUsers, users: null };
}

/** The schemes that clients must have proven one of; null: anybody may ask. */
export function enforcedSchemesOf(values: SettingValues): readonly string[] | null {
  if (values.sessionRequireClientSaslAuth) return ['sasl'];
  if (!values.enforceAuthEnabled) return null;
  return values.enforceAuthSchemes.split(',').map((scheme) => scheme.trim());
}

export interface LoadedUsers {
  readonly config: ServerConfig;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

const digestModule = 'org.apache.zookeeper.server.auth.DigestLoginModule';

/** The configuration with the users of its login file. */
export function loadUsers(config: ServerConfig, files: Pick<ConfigFiles, 'read'>): LoadedUsers {
  const { jaasFile: file, saslSection, security } = config;
  const problem = (line: number | null, message: string): LoadedUsers => ({
    ...{ config, warnings: [] },
    problems: [{ file: file ?? config.configFile, line, message }],
  });
  const isRequired = enforcedSchemesOf(config)?.includes('sasl') ?? false;
  if (file === null) {
    if (!isRequired) return { config, problems: [], warnings: [] };
    return problem(
      null,
      `SASL is required and nobody could log in: ${howToGiveUsers(saslSection)}`,
    );
  }
  let section;
  try {
    const bytes = files.read(file);
    if (bytes === null) return problem(null, 'no such file (java.security.auth.login.config)');
    const property = (name: string): string | null => config.properties.get(name) ?? null;
    section = parseJaas(new TextDecoder().decode(bytes), property).get(saslSection);
  } catch (error) {
    if (error instanceof JaasError) return problem(error.line, error.message);
    const reason = error instanceof Error ? error.message : String(error);
    return problem(null, `the login file cannot be read: ${reason}`);
  }
  if (section === undefined) {
    const message = `there is no section ${saslSection} (sasl.serverconfig): nobody can log in by SASL`;
    if (isRequired) return problem(null, message);
    return { config, problems: [], warnings: [`${file}: ${message}`] };
  }
  const users = new Map<string, string>();
  for (const { className, options, line } of section.modules) {
    if (className !== digestModule) {
      const kerberos = className.includes('Krb5')
        ? ' (Kerberos on the server is not built yet)'
        : '';
      return problem(line, `${className}: only ${digestModule} is known here${kerberos}`);
    }
    for (const [option, value] of options) {
      if (option.startsWith('user_')) users.set(option.slice('user_'.length), value);
    }
  }
  if (users.has('super') && config.saslSuperPassword !== null) {
    users.set('super', config.saslSuperPassword);
  }
  if (config.fipsMode && users.size > 0) {
    return problem(
      section.line,
      'fips-mode=true does not allow DIGEST-MD5, the only way in for these users: leave fips-mode out, or the users',
    );
  }
  return { config: { ...config, security: { ...security, users } }, problems: [], warnings: [] };
}

function howToGiveUsers(section: string): string {
  return `give users in a login file, -Djava.security.auth.login.config=FILE with ${section} { ${digestModule} required user_NAME="PASSWORD"; };`;
}
