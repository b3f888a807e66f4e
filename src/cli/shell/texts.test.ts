import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Acls } from '../../client/acls.js';
import { aclEntryText, aclLines, aclOf, isSameAcl } from './acl-text.js';
import { bytesOfBase64, dataJson, hexDump } from './data-text.js';
import { eventLines } from './event-text.js';
import { quotaText, readQuota } from './quota-text.js';

test('bytes are dumped sixteen a row', () => {
  assert.equal(hexDump(Buffer.alloc(0)), '');
  assert.equal(
    hexDump(Buffer.from('0123456789abcdef\0')),
    [
      '         +-------------------------------------------------+',
      '         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |',
      '+--------+-------------------------------------------------+----------------+',
      '|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|',
      '|00000010| 00                                              |.               |',
      '+--------+-------------------------------------------------+----------------+',
    ].join('\n'),
  );
});

test('data is text where it is UTF-8, and base64 where it is not', () => {
  assert.deepEqual(dataJson(Buffer.from('ünï')), { data: 'ünï', encoding: 'utf8' });
  assert.deepEqual(dataJson(Buffer.from([0xff, 0])), { data: '/wA=', encoding: 'base64' });
  assert.deepEqual(bytesOfBase64('/wA='), Buffer.from([0xff, 0]));
  assert.equal(bytesOfBase64('no base64!'), null);
});

test('an ACL is read as it is typed, and shown as zkCli shows it', () => {
  const acl = aclOf('world:anyone:r,digest:bob:x/y=:cdrwa,ip:::1:d');
  assert.deepEqual(acl.map(aclEntryText), ['world:anyone:r', 'digest:bob:x/y=:cdrwa', 'ip:::1:d']);
  assert.equal(aclLines(acl.slice(0, 1)), "'world,'anyone\n: r");
  assert.equal(aclLines([{ scheme: 'x509', id: 'CN=a,O=b', perms: 1 }]), "'x509,'CN=a%2CO=b\n: r");
  assert.ok(isSameAcl([...acl].reverse(), acl));
  assert.ok(!isSameAcl(acl, Acls.open));
  assert.throws(() => aclOf('world:anyone'), /does not have the form scheme:id:perm/);
  assert.throws(() => aclOf('world:anyone:rz'), /Unknown perm type: z/);
});

test('a quota is read and written as servers of all ages have it', () => {
  const line = 'count=3,bytes=-1=;byteHardLimit=100;countHardLimit=-1';
  assert.equal(quotaText(readQuota(line)), line);
  assert.equal(quotaText(readQuota('count=3,bytes=5')), 'count=3,bytes=5');
  assert.equal(quotaText(readQuota('')), 'count=-1,bytes=-1');
});

test('an event has its lines; without a zxid it says -1', () => {
  assert.equal(
    eventLines({ type: 'created', path: '/a', zxid: 5n }),
    '\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeCreated path:/a zxid: 5',
  );
  assert.match(
    eventLines({ type: 'children', path: '/' }),
    /type:NodeChildrenChanged path:\/ zxid: -1$/,
  );
});
