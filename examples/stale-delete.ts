/**
 * Delete what you have seen, and nothing newer: an ephemeral znode is set, then deleted with the version
 * of before, which is refused; and the right way, again and again if need be, while the server that
 * this client was connected to dies.
 */
import assert from 'node:assert/strict';
import {
  BadVersionError,
  Client,
  isRetryable,
  NoNodeError,
  OutcomeUnknownError,
  type ZkClient,
} from 'zabra/client';
import { TestEnsemble } from 'zabra/testing';

/** Deletes the znode as it is when `isDue` says so; false: it is not due, or not there. */
async function deleteIf(
  zk: ZkClient,
  path: string,
  isDue: (data: string) => boolean,
): Promise<boolean> {
  for (;;) {
    try {
      const { data, stat } = await zk.getData(path);
      if (!isDue(data.toString())) return false;
      await zk.delete(path, { version: stat.version });
      return true;
    } catch (error) {
      if (error instanceof NoNodeError) return false;
      // somebody changed it meanwhile: look again; so after a call whose outcome nobody knows
      const mayTryAgain =
        error instanceof BadVersionError ||
        error instanceof OutcomeUnknownError ||
        isRetryable(error);
      if (!mayTryAgain) throw error;
    }
  }
}

const ensemble = await TestEnsemble.start(3);
const zk = await new Client(ensemble.connectString, { sessionTimeoutMs: 20_000 }).connect();
try {
  const { stat: created } = await zk.create('/job', 'running', { mode: 'ephemeral' });
  await zk.setData('/job', 'done');

  // the version of the creation: not what is there any more
  await assert.rejects(zk.delete('/job', { version: created.version }), BadVersionError);

  const mine = ensemble.servers.find(({ port }) => port === zk.server?.port)?.id ?? 1;
  const deleting = deleteIf(zk, '/job', (data) => data === 'done');
  await ensemble.kill(mine);
  await deleting;
  assert.equal(await zk.exists('/job'), null);
  console.log(
    `/job is gone, and so is server ${mine}; session 0x${zk.sessionId.toString(16)} lives`,
  );
} finally {
  await zk.close();
  await ensemble.stop();
}
