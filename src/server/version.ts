/**
 * Which ZooKeeper this server is for others. Clients and tools read the number at the front and
 * behave as towards Apache 3.9.5, which is what this server is compatible with; people read the rest.
 */

/** That of package.json; a test holds them together. */
export const packageVersion = '0.1.0';

export const compatibleVersion = '3.9.5';

/** Of the release, as Apache's: it changes with the version, not with each build. */
export const builtOn = '2026-11-21 00:00 UTC';

export const shortVersion = `${compatibleVersion}-zabra-${packageVersion}`;

/** Behind "Zookeeper version: " in `srvr`, and as zookeeper.version in `envi`. */
export const fullVersion = `${shortVersion}, built on ${builtOn}`;
