/** Apache's servers made up by a test, and a client with lasting watches before the balancer. */
import type { Change } from './fake-tree.fixture.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage, type StageOptions } from './stage.fixture.js';

export const relist = { relistPersistent: true };

export const create = (path: string): Change => ({ kind: 'create', path, data: '' });
export const set = (path: string): Change => ({ kind: 'set', path, data: 'x' });
export const remove = (path: string): Change => ({ kind: 'delete', path });

/** Apache servers with `paths`, and a client at the first. */
export async function begin(
  paths: readonly string[],
  options: StageOptions = { settings: relist },
  servers = 2,
): Promise<[Stage, RawClient]> {
  const stage = await Stage.start(servers, options);
  for (const server of stage.ensemble.servers) server.isApache = true;
  for (const path of paths) stage.ensemble.change(create(path));
  const { servers: all, log } = stage.ensemble;
  await stage.until(() => all.every(({ applied }) => applied === log.length));
  const client = await stage.openClient();
  client.keepPinging(1000);
  await stage.pass(10);
  return [stage, client];
}

export async function watched(
  stage: Stage,
  client: RawClient,
  path: string,
  isRecursive = true,
): Promise<void> {
  const xid = client.addWatch(path, isRecursive);
  await stage.until(() => client.replyTo(xid) !== null && stage.session.obstacle === null);
}

/** The client hears nothing of the changes from its server, which then dies. */
export async function missed(stage: Stage, ...changes: Change[]): Promise<void> {
  stage.server(0).isLagging = true;
  for (const change of changes) stage.ensemble.change(change);
  await stage.pass(50);
  stage.server(0).kill();
  await stage.pass(100);
}

export function obstacleIn(stage: Stage): string {
  return stage.session.obstacle ?? '';
}

export function eventsOf(client: RawClient): string[] {
  return client.events.map(({ type, path }) => `${type}@${path}`);
}
