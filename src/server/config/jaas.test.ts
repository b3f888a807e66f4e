import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JaasError, parseJaas } from './jaas.js';

const digest = 'org.apache.zookeeper.server.auth.DigestLoginModule';

function errorOf(text: string): string {
  try {
    parseJaas(text);
  } catch (error) {
    assert.ok(error instanceof JaasError);
    return `${error.line}: ${error.message}`;
  }
  return 'read';
}

test('sections, modules and their options', () => {
  const sections = parseJaas(`
// users of the cluster
Server {
  ${digest} required
    user_super="adminsecret" /* not
    for everybody */
    user_bob=secret;
};
QuorumServer { com.example.Other OPTIONAL debug="true"; ${digest} required user_x='y'; };
Empty { };
`);
  assert.deepEqual([...sections.keys()], ['Server', 'QuorumServer', 'Empty']);
  const [module] = sections.get('Server')?.modules ?? [];
  assert.equal(module?.className, digest);
  assert.equal(module.flag, 'required');
  assert.equal(module.line, 4);
  assert.deepEqual(
    [...module.options],
    [
      ['user_super', 'adminsecret'],
      ['user_bob', 'secret'],
    ],
  );
  assert.deepEqual(
    sections.get('QuorumServer')?.modules.map(({ flag }) => flag),
    ['optional', 'required'],
  );
});

test('quotes: escapes as in Java, marks of the grammar, properties', () => {
  const text = String.raw`S { m required a="x\"y\\z\101\t" b="p=q;}" c="${'${'}home${'}'}/f" d="http://x"; };`;
  const [module] =
    parseJaas(text, (name) => (name === 'home' ? '/h' : null)).get('S')?.modules ?? [];
  assert.deepEqual(
    [...(module?.options.values() ?? [])],
    ['x"y\\zA\t', 'p=q;}', '/h/f', 'http://x'],
  );
});

test('what cannot be read is told with its line', () => {
  const body = `{\n  ${digest} required\n    user_bob="secret"`;
  assert.equal(
    errorOf(`Server ${body}\n};`),
    `4: an option or ; behind the options of ${digest} is missing: found }`,
  );
  assert.equal(
    errorOf(`Server ${body};\n}`),
    '5: ; is missing behind the } of the section Server: the file ends'.replace('5', '4'),
  );
  assert.equal(
    errorOf('Server'),
    "1: { is missing behind the section's name Server: the file ends",
  );
  assert.equal(errorOf('\n# users\nServer { };').split(':')[0], '2');
  assert.match(errorOf('# users'), /comments begin with \/\//);
  assert.match(errorOf(`S { m maybe a="b"; };`), /^1: 'maybe' is none of required/);
  assert.match(errorOf('S { m required a; };'), /^1: = is missing behind the option a/);
  assert.match(errorOf('S { m required a="b\n"; };'), /^1: a quote is not closed/);
  assert.match(errorOf('S { m required a=/etc/x; };'), /must stand in quotes/);
  assert.match(errorOf('S { };\nS { };'), /^2: the section S stands twice, first in line 1/);
  assert.match(errorOf('S { m required a="${no}"; };'), /no property no/);
});

test('a message never shows what may be a password', () => {
  assert.equal(errorOf('S { m required user_bob "secret"; };').includes('secret'), false);
});
