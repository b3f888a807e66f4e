/** Sequential znodes: the suffix comes from the parent's counter of changes among its children. */
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok } from '../check.js';
import { group } from '../suite.js';
import { body, flags, part } from '../../support/requests.js';

const suffix = (n: number): string => String(n).padStart(10, '0');
const sequential = { flags: flags.persistentSequential };

export const sequenceCases = group('sequences', {}, (test) => {
  test('count from 0 with ten digits', async (t) => {
    const client = await t.connect();
    equal(ok(await client.create(`${t.path}/s-`, sequential)), `${t.path}/s-${suffix(0)}`, '1st');
    equal(ok(await client.create(`${t.path}/s-`, sequential)), `${t.path}/s-${suffix(1)}`, '2nd');
  });

  test('every create under the parent counts, whatever its name', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/plain`));
    ok(await client.create(`${t.path}/x`, { flags: flags.ephemeral }));
    equal(ok(await client.create(`${t.path}/s`, sequential)), `${t.path}/s${suffix(2)}`, 'path');
  });

  test('deletes do not count', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    ok(await client.delete(`${t.path}/a`));
    ok(await client.create(`${t.path}/a`));
    equal(ok(await client.create(`${t.path}/s`, sequential)), `${t.path}/s${suffix(2)}`, 'path');
  });

  test('a number is not used again after its znode is deleted', async (t) => {
    const client = await t.connect();
    const first = ok(await client.create(`${t.path}/s`, sequential));
    ok(await client.delete(first));
    equal(ok(await client.create(`${t.path}/s`, sequential)), `${t.path}/s${suffix(1)}`, 'path');
  });

  test('an empty name is allowed', async (t) => {
    const client = await t.connect();
    equal(ok(await client.create(`${t.path}/`, sequential)), `${t.path}/${suffix(0)}`, 'path');
  });

  test('ephemeral sequential', async (t) => {
    const client = await t.connect();
    const { path, stat } = ok(
      await client.create2(`${t.path}/e-`, { flags: flags.ephemeralSequential }),
    );
    equal(path, `${t.path}/e-${suffix(0)}`, 'path');
    equal(stat.ephemeralOwner, client.session.sessionId, 'ephemeralOwner');
  });

  test('the name with its number may exist already', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/s${suffix(1)}`));
    fails(await client.create(`${t.path}/s`, sequential), 'nodeExists');
  });

  test('a failed create does not count', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    fails(await client.create(`${t.path}/a`), 'nodeExists');
    equal(ok(await client.create(`${t.path}/s`, sequential)), `${t.path}/s${suffix(1)}`, 'path');
  });

  test('pipelined creates get consecutive numbers in their order', async (t) => {
    const client = await t.connect();
    const posted = Array.from({ length: 50 }, () =>
      client.post(OpCode.create, body.create(`${t.path}/s`, sequential)),
    );
    for (const [index, xid] of posted.entries()) {
      const reply = await client.reply(xid);
      const path = Buffer.from(reply.body.subarray(4)).toString();
      equal(path, `${t.path}/s${suffix(index)}`, `path ${index}`);
    }
  });

  test('within a multi', async (t) => {
    const client = await t.connect();
    const results = ok(
      await client.multi([
        part.create(`${t.path}/s`, sequential),
        part.create(`${t.path}/plain`),
        part.create(`${t.path}/s`, sequential),
      ]),
    );
    equal(
      results.map((result) => result.path),
      [`${t.path}/s${suffix(0)}`, `${t.path}/plain`, `${t.path}/s${suffix(2)}`],
      'paths',
    );
  });

  test('a multi that fails takes no number, also with creates in flight', async (t) => {
    const client = await t.connect();
    const before = client.post(OpCode.create, body.create(`${t.path}/s`, sequential));
    const failing = client.post(
      OpCode.multi,
      body.multi([part.create(`${t.path}/s`, sequential), part.check(`${t.path}/no`, 0)]),
    );
    const after = client.post(OpCode.create, body.create(`${t.path}/s`, sequential));
    equal((await client.reply(before)).err, 0, 'the first');
    await client.reply(failing);
    const path = Buffer.from((await client.reply(after)).body.subarray(4)).toString();
    equal(path, `${t.path}/s${suffix(1)}`, 'path');
  });
});
