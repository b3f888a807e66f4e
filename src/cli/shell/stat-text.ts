/** A stat as zkCli's lines, and as JSON: zxids as they are written everywhere, times in milliseconds. */
import type { Stat } from '../../client/types.js';

/** The date is Java's, in this machine's time zone: its code is loaded only where a stat is printed. */
export async function statText(stat: Stat): Promise<string> {
  const { javaTimeText } = await import('../../node/java-time-text.js');
  return [
    `cZxid = ${hex(stat.czxid)}`,
    `ctime = ${javaTimeText.long(stat.ctime)}`,
    `mZxid = ${hex(stat.mzxid)}`,
    `mtime = ${javaTimeText.long(stat.mtime)}`,
    `pZxid = ${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = ${hex(stat.ephemeralOwner)}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`,
  ].join('\n');
}

export function statJson(stat: Stat): Record<string, string | number> {
  return {
    czxid: hex(stat.czxid),
    mzxid: hex(stat.mzxid),
    pzxid: hex(stat.pzxid),
    ctime: stat.ctime,
    mtime: stat.mtime,
    version: stat.version,
    cversion: stat.cversion,
    aversion: stat.aversion,
    ephemeralOwner: hex(stat.ephemeralOwner),
    dataLength: stat.dataLength,
    numChildren: stat.numChildren,
  };
}

/** As an unsigned number of 64 bits. */
export function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}
