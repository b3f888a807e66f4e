/**
 * The oracle: Apache ZooKeeper itself, from its own jars, as a standalone server in a child process.
 * What it does on the wire and on disk is what our server has to do.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { classPath, installJars } from './maven.js';
import {
  startServer,
  type Launch,
  type ServerOptions,
  type ServerProcess,
} from './server-process.js';

/** What ZooKeeper's own pom marks as provided: its server does not start without these. */
const provided = {
  '3.9.5': [
    'commons-cli:commons-cli:1.5.0',
    'org.eclipse.jetty:jetty-server:9.4.58.v20250814',
    'org.eclipse.jetty:jetty-servlet:9.4.58.v20250814',
    'com.fasterxml.jackson.core:jackson-databind:2.15.2',
    'org.jline:jline:3.25.1',
    'io.dropwizard.metrics:metrics-core:4.1.12.1',
    'org.xerial.snappy:snappy-java:1.1.10.5',
    'ch.qos.logback:logback-classic:1.3.15',
  ],
  '3.8.0': [
    'commons-cli:commons-cli:1.4',
    'org.eclipse.jetty:jetty-server:9.4.43.v20210629',
    'org.eclipse.jetty:jetty-servlet:9.4.43.v20210629',
    'com.fasterxml.jackson.core:jackson-databind:2.13.1',
    'jline:jline:2.14.6',
    'io.dropwizard.metrics:metrics-core:4.1.12.1',
    'org.xerial.snappy:snappy-java:1.1.7.7',
  ],
  '3.5.10': [
    'commons-cli:commons-cli:1.2',
    'org.eclipse.jetty:jetty-server:9.4.43.v20210629',
    'org.eclipse.jetty:jetty-servlet:9.4.43.v20210629',
    'com.fasterxml.jackson.core:jackson-databind:2.10.5',
    'com.googlecode.json-simple:json-simple:1.1.1',
    'jline:jline:2.14.6',
  ],
} as const;

export type OracleVersion = keyof typeof provided;

/** Directory of jars of that release; downloads them the first time. MissingError without Java. */
export async function oracleJars(version: OracleVersion): Promise<string> {
  return await installJars(`oracle/${version}`, [
    `org.apache.zookeeper:zookeeper:${version}`,
    ...provided[version],
  ]);
}

export const logbackToStdout = `<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5p %c{1} %m%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
`;

/** Flags that make a JVM start quickly and stay small; not for measurements. */
export const smallJvm = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xms64m', '-Xmx1g'];

export async function startOracle(
  version: OracleVersion,
  options: ServerOptions = {},
): Promise<ServerProcess> {
  const lib = await oracleJars(version);
  const launch: Launch = {
    program: 'java',
    arguments(configFile, properties, workDir) {
      writeFileSync(join(workDir, 'logback.xml'), logbackToStdout);
      return [
        ...smallJvm,
        ...properties,
        ...['-cp', classPath(lib, workDir)],
        ...['org.apache.zookeeper.server.quorum.QuorumPeerMain', configFile],
      ];
    },
  };
  return await startServer(launch, options);
}
