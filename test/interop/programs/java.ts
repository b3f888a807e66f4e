/** The programs in Java: compiled here, against jars that Maven fetches. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, repositoryRoot, runOrThrow, underLock } from '../../support/machine.js';
import { classPath, installJars, javaProgramName, requireJava } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import { converse, hostsOf, type Interop, type Program } from '../program.js';

const sources = join(repositoryRoot, 'test', 'interop', 'java');
const quietLogback = `<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5p %c{1} %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="ERR"/></root>
</configuration>
`;

/** Compiles `<name>.java` and Checks.java; the classes are kept until a source changes. */
export async function compiled(name: string, lib: string): Promise<string> {
  await requireJava();
  const files = ['Checks.java', `${name}.java`].map((file) => join(sources, file));
  const hash = createHash('sha1');
  for (const file of files) hash.update(readFileSync(file));
  const classes = join(
    cacheDirectory,
    'interop',
    'classes',
    `${name}-${hash.digest('hex').slice(0, 12)}`,
  );
  await underLock('javac', async () => {
    if (existsSync(classes)) return;
    const fresh = `${classes}.fresh`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    const flags = ['-nowarn', '-Xlint:none', '-d', fresh, '-cp', classPath(lib)];
    await runOrThrow('javac', [...flags, ...files]);
    writeFileSync(join(fresh, 'logback.xml'), quietLogback);
    renameSync(fresh, classes);
  });
  return classes;
}

async function runJava(
  interop: Interop,
  server: ServerProcess,
  program: { name: string; lib: string; args: readonly string[]; timeoutMs: number },
  /** While the server still runs. */
  afterwards: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const classes = await compiled(program.name, program.lib);
  let current = server;
  await converse(interop, {
    program: javaProgramName,
    args: [
      ...smallJvm,
      ...['-cp', classPath(program.lib, classes)],
      ...[program.name, hostsOf(server), ...program.args],
    ],
    timeoutMs: program.timeoutMs,
    async restart() {
      await current.kill('SIGKILL');
      current = await current.startAgain();
    },
  });
  await afterwards();
  if (current !== server) await current.dispose();
}

const extended = {
  config: { tickTime: '500' },
  properties: { 'zookeeper.extendedTypesEnabled': 'true' },
};

export const javaProgram: Program = {
  name: 'java',
  takesEnsembles: true,
  about: "Apache's Java client 3.9.5: ops, watches, multi, sessions, two kills of the server",
  async run(interop) {
    const lib = await oracleJars('3.9.5');
    const server = await interop.start(extended);
    await runJava(interop, server, { name: 'ClientProgram', lib, args: [], timeoutMs: 180_000 });
  },
};

export async function curatorJars(): Promise<string> {
  return await installJars('interop/curator-5.9.0', [
    'org.apache.curator:curator-recipes:5.9.0',
    'org.apache.curator:curator-x-discovery:5.9.0',
    'org.apache.zookeeper:zookeeper:3.9.5',
    'ch.qos.logback:logback-classic:1.3.15',
  ]);
}

export const curatorProgram: Program = {
  name: 'curator',
  takesEnsembles: true,
  about: 'Curator 5.9.0: recipes, caches, queues and discovery, with the server killed in between',
  async run(interop) {
    const lib = await curatorJars();
    const server = await interop.start(extended);
    await runJava(interop, server, { name: 'CuratorProgram', lib, args: [], timeoutMs: 240_000 });
  },
};

/** 3.9 is the last Kafka that can live on ZooKeeper. */
const kafkaVersion = '3.9.1';

export const kafkaProgram: Program = {
  name: 'kafka',
  takesEnsembles: true,
  about: `Kafka ${kafkaVersion} in ZooKeeper mode: 10,000 records, the server killed in the middle`,
  async run(interop) {
    const { runKafka } = await import('./kafka.js');
    const lib = await installJars(`interop/kafka-${kafkaVersion}`, [
      `org.apache.kafka:kafka_2.13:${kafkaVersion}`,
      'org.slf4j:slf4j-simple:1.7.36',
    ]);
    const program = { name: 'KafkaProgram', lib, timeoutMs: 240_000 };
    await runKafka(interop, lib, (server, args, afterwards) =>
      runJava(interop, server, { ...program, args }, afterwards),
    );
  },
};
