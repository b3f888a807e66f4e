/**
 * Jars by Maven, into `.cache`: downloaded once, then only looked at. Needs `java` and `mvn` on the
 * machine and says so where they are missing.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, hasProgram, MissingError, runOrThrow, underLock } from './machine.js';

export const javaProgramName = 'java';

let java: Promise<boolean> | null = null;

/** Throws MissingError where no Java runs; looks once. */
export async function requireJava(): Promise<void> {
  java ??= hasProgram(javaProgramName, '-version');
  if (!(await java)) throw new MissingError('no Java/Maven');
}

function pomOf(coordinates: readonly string[], exclusions: readonly string[]): string {
  const excluded = exclusions.map((coordinate) => {
    const [group = '', artifact = ''] = coordinate.split(':');
    return `<exclusion><groupId>${group}</groupId><artifactId>${artifact}</artifactId></exclusion>`;
  });
  const dependencies = coordinates.map((coordinate) => {
    const [group = '', artifact = '', version = ''] = coordinate.split(':');
    return (
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
      `<version>${version}</version><exclusions>${excluded.join('')}</exclusions></dependency>`
    );
  });
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>zabra.test</groupId><artifactId>jars</artifactId><version>1</version>' +
    `<packaging>pom</packaging><dependencies>${dependencies.join('')}</dependencies></project>\n`
  );
}

/**
 * The jars of `coordinates` (group:artifact:version) with everything they need at run time, in
 * `.cache/<name>/lib`. Idempotent; a half-finished download is never taken for a finished one.
 */
export async function installJars(
  name: string,
  coordinates: readonly string[],
  exclusions: readonly string[] = [],
): Promise<string> {
  const home = join(cacheDirectory, name);
  const lib = join(home, 'lib');
  const pom = pomOf(coordinates, exclusions);
  const pomFile = join(home, 'pom.xml');
  const isThere = (): boolean => existsSync(lib) && readdirSync(lib).length > 0;
  await requireJava();
  if (isThere()) return lib;
  if (!(await hasProgram('mvn', '--version'))) throw new MissingError('no Java/Maven');
  await underLock('maven', async () => {
    if (isThere()) return;
    mkdirSync(home, { recursive: true });
    writeFileSync(pomFile, pom);
    const fresh = join(home, 'lib.fresh');
    rmSync(fresh, { recursive: true, force: true });
    await runOrThrow('mvn', [
      ...['-q', '-B', '-f', pomFile, 'dependency:copy-dependencies'],
      ...[`-DoutputDirectory=${fresh}`, '-DincludeScope=runtime'],
    ]);
    rmSync(lib, { recursive: true, force: true });
    renameSync(fresh, lib);
  });
  return lib;
}

/** Every jar of a directory, for -cp; further entries in front. */
export function classPath(lib: string, ...front: string[]): string {
  return [...front, join(lib, '*')].join(':');
}
