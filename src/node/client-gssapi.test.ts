import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logIn, SaslError } from '../client/sasl.js';
import { gssapi, type GssapiOptions, type KerberosModule } from './client-gssapi.js';

/** A realm of one client and one server, whose tokens say what they are. */
class Realm {
  readonly asked: string[] = [];
  refuses = '';

  readonly load = (): Promise<KerberosModule> =>
    Promise.resolve({
      initializeClient: (service, { principal }) => {
        this.asked.push(`${service} ${principal ?? ''}`.trim());
        let isComplete = false;
        const told = (what: string, challenge: string): Promise<string> => {
          const text = Buffer.from(challenge, 'base64').toString();
          this.asked.push(`${what} ${text}`.trim());
          if (this.refuses === what) return Promise.reject(new Error('clock skew too great'));
          return Promise.resolve(Buffer.from(`${what}ped`).toString('base64'));
        };
        return Promise.resolve({
          get contextComplete() {
            return isComplete;
          },
          step: (challenge) => {
            isComplete = challenge !== '';
            return told('step', challenge);
          },
          unwrap: (challenge) => told('unwrap', challenge),
          wrap: (challenge, { user }) => told(`wrap${user ?? ''}`, challenge),
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
    'zookeeper@h1',
    'step',
    'step mutual',
    'unwrap offer',
    'wrap unwrapped',
  ]);
});

test('principal, service and its host may be others', async () => {
  const realm = new Realm();
  await realm.logIn({ principal: 'a@R', service: 'zk', serviceHost: 'cluster' }, ['m', 'o', null]);
  assert.equal(realm.asked[0], 'zk@cluster a@R');
  assert.equal(realm.asked.at(-1), 'wrapa@R unwrapped');
});

test('what fails says at what', async () => {
  const realm = new Realm();
  realm.refuses = 'step';
  await assert.rejects(realm.logIn({}, []), {
    name: 'SaslError',
    message: 'GSSAPI: no ticket for zookeeper/h1: clock skew too great',
  });
  realm.refuses = 'unwrap';
  await assert.rejects(realm.logIn({}, ['m', 'o']), /no agreement on protection/);
  realm.refuses = '';
  await assert.rejects(realm.logIn({}, [null]), /the server has no SASL login/);
  await assert.rejects(realm.logIn({}, ['m', 'o', 'more']), /where GSSAPI has ended/);
});

test('without the package, it says what to install', async () => {
  const missing = gssapi()();
  await assert.rejects(
    async () => await missing.start('h'),
    (error) => error instanceof SaslError && error.message.endsWith('npm install kerberos'),
  );
});
