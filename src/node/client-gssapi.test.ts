import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthFailedError } from '../client/errors.js';
import { logIn, SaslError, type SaslMechanism } from '../client/sasl.js';
import { gssapi, type GssapiOptions, type KerberosModule } from './client-gssapi.js';

/** No layer or signing, 64 KiB at a time. */
const offer = Uint8Array.of(1 | 2, 1, 0, 0);

/** A realm of one client and one server, whose tokens say what they are. */
class Realm {
  readonly asked: string[] = [];
  /** The step that fails, and with what words. */
  refuses = '';
  reason = 'clock skew too great';
  offered: Uint8Array = offer;
  /** Before the first token: a KDC that takes its time. */
  kdc: Promise<void> = Promise.resolve();

  readonly load = (): Promise<KerberosModule> =>
    Promise.resolve({
      initializeClient: (service, { principal, mechOID }) => {
        this.asked.push(`${mechOID} ${service} ${principal ?? ''}`.trim());
        let isComplete = false;
        const told = (what: string, challenge: string): Promise<string> => {
          this.asked.push(`${what} ${Buffer.from(challenge, 'base64').toString('latin1')}`.trim());
          if (this.refuses === what) return Promise.reject(new Error(this.reason));
          return Promise.resolve(Buffer.from(`${what}ped`).toString('base64'));
        };
        return Promise.resolve({
          get contextComplete() {
            return isComplete;
          },
          step: async (challenge) => {
            await this.kdc;
            isComplete = challenge !== '';
            return await told('step', challenge);
          },
          unwrap: async (challenge) => {
            await told('unwrap', challenge);
            return Buffer.from(this.offered).toString('base64');
          },
          wrap: (challenge) => told('wrap', challenge),
        });
      },
    });

  async logIn(options: GssapiOptions, answers: (string | null)[]): Promise<string[]> {
    const sent: string[] = [];
    const left = [...answers];
    await logIn(gssapi(options, this.load)(), 'h1', (token) => {
      sent.push(Buffer.from(token).toString());
      const answer = left.shift() ?? null;
      return Promise.resolve(answer === null ? null : Buffer.from(answer));
    });
    return sent;
  }
}

test('tokens go back and forth until both are content', async () => {
  const realm = new Realm();
  const sent = await realm.logIn({}, ['mutual', 'offer', null]);
  assert.deepEqual(sent, ['stepped', 'stepped', 'wrapped']);
  assert.deepEqual(realm.asked, [
    '9 zookeeper@h1',
    'step',
    'step mutual',
    'unwrap offer',
    `wrap ${Buffer.from(offer).toString('latin1')}`,
  ]);
});

test('principal, service and its host may be others', async () => {
  const realm = new Realm();
  await realm.logIn({ principal: 'a@R', service: 'zk', serviceHost: 'cluster' }, ['m', 'o', null]);
  assert.equal(realm.asked[0], '9 zk@cluster a@R');
});

test('what fails says at what, and what to do', async () => {
  const realm = new Realm();
  realm.refuses = 'step';
  await assert.rejects(realm.logIn({}, []), {
    name: 'SaslError',
    message: 'GSSAPI: no ticket for zookeeper/h1: clock skew too great; set the clocks',
    isTemporary: true,
  });
  realm.reason =
    'No credentials were supplied, or the credentials were unavailable or inaccessible: ' +
    "Can't find client principal a@R in cache collection";
  await assert.rejects(realm.logIn({ principal: 'a@R' }, []), {
    message:
      "GSSAPI: no ticket for zookeeper/h1: Can't find client principal a@R in cache collection; " +
      'get one by kinit a@R (klist shows which there are), or name a keytab in KRB5_CLIENT_KTNAME',
  });
  for (const [reason, advice] of [
    ['Server zk/h1@R not found in Kerberos database', /; the options service and serviceHost/],
    ["Cannot contact any KDC for realm 'R'", /; look at the kdc of the realm in krb5\.conf/],
    ['Configuration file does not specify default realm', /; set default_realm/],
    ['something else', /: something else$/],
  ] as const) {
    realm.reason = `Unspecified GSS failure.  Minor code may provide more information: ${reason}`;
    await assert.rejects(realm.logIn({}, []), advice);
  }
  realm.refuses = 'unwrap';
  await assert.rejects(realm.logIn({}, ['m', 'o']), /no agreement on protection/);
  realm.refuses = '';
  await assert.rejects(realm.logIn({}, [null]), /the server has no SASL login/);
  await assert.rejects(realm.logIn({}, ['realm="zk",nonce="n"']), /asks for a user and a password/);
  await assert.rejects(realm.logIn({}, ['m', 'o', 'more']), /where GSSAPI has ended/);
});

test('an offer that cannot be agreed to never reaches the native code', async () => {
  const realm = new Realm();
  for (const [offered, why] of [
    [Uint8Array.of(), /offer has 0 bytes, not 4/],
    [Uint8Array.of(1, 0, 0), /offer has 3 bytes/],
    [Uint8Array.of(2 | 4, 1, 0, 0), /wants all that follows signed/],
  ] as const) {
    realm.offered = offered;
    await assert.rejects(realm.logIn({}, ['m', 'o']), why);
  }
  assert.equal(
    realm.asked.some((what) => what.startsWith('wrap')),
    false,
  );
});

test('a silent KDC is given up, and asked by one at a time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const realm = new Realm();
  let answer: () => void = () => undefined;
  realm.kdc = new Promise((resolve) => (answer = resolve));
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const first = assert.rejects(realm.logIn({}, []), {
    message: /no ticket for zookeeper\/h1: no KDC has answered for 5000 ms; look at the kdc/,
    isTemporary: true,
  });
  const second = assert.rejects(realm.logIn({}, []), /no KDC has answered/);
  await settle();
  t.mock.timers.tick(5_000);
  await Promise.all([first, second]);
  const third = realm.logIn({}, ['mutual', 'offer', null]);
  await settle();
  assert.deepEqual(realm.asked, ['9 zookeeper@h1']);
  answer();
  // the second was given up before its turn came
  assert.deepEqual(await third, ['stepped', 'stepped', 'wrapped']);
  assert.equal(realm.asked.filter((what) => what === '9 zookeeper@h1').length, 2);
});

test('whoever waits for less tells how long it was silent, and asks for nothing then', async () => {
  const realm = new Realm();
  let answer: () => void = () => undefined;
  realm.kdc = new Promise((resolve) => (answer = resolve));
  const load = realm.load;
  let install: () => void = () => undefined;
  const slow = async (): Promise<KerberosModule> => {
    await new Promise<void>((resolve) => (install = resolve));
    return load();
  };
  const [asking, queued, loading] = [gssapi({}, load)(), gssapi({}, load)(), gssapi({}, slow)()];
  const told = async (mechanism: SaslMechanism): Promise<SaslError | undefined> => {
    const start = assert.rejects(async () => await mechanism.start('h1'), SaslError);
    await new Promise((resolve) => setImmediate(resolve));
    const reason = mechanism.giveUp?.(300);
    if (mechanism === loading) install();
    await start;
    return reason;
  };
  for (const mechanism of [asking, queued]) {
    const { message = '', isTemporary } = (await told(mechanism)) ?? {};
    assert.match(
      message,
      /^GSSAPI: no ticket for zookeeper\/h1: no KDC has answered for 300 ms; look/,
    );
    assert.equal(isTemporary, true);
  }
  const reason = await told(loading);
  assert.equal(
    reason?.message,
    'GSSAPI: not ready: the package kerberos has been loading for 300 ms',
  );
  answer();
  assert.deepEqual(await realm.logIn({}, ['mutual', 'offer', null]), [
    'stepped',
    'stepped',
    'wrapped',
  ]);
  assert.equal(realm.asked.filter((what) => what === '9 zookeeper@h1').length, 2);
});

test('a server that refuses does so without a word; ours says what to look at', async () => {
  const realm = new Realm();
  const refusal = new AuthFailedError();
  await assert.rejects(
    logIn(gssapi({}, realm.load)(), 'h1', () => Promise.reject(refusal)),
    (error) =>
      error instanceof SaslError &&
      error.cause === refusal &&
      error.message.startsWith('GSSAPI: the server refuses: its log tells why; its keytab'),
  );
});

test('without the package, it says what to install', async () => {
  const missing = gssapi()();
  await assert.rejects(
    async () => await missing.start('h'),
    (error) => error instanceof SaslError && error.message.endsWith('npm install kerberos'),
  );
});
