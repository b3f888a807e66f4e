import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { EarlyLinks } from './early-link.js';

class Peer {
  isDestroyed = false;
  readonly heard: number[] = [];

  get socket(): Socket {
    const destroy = (): void => {
      this.isDestroyed = true;
    };
    return { destroy } as Partial<Socket> as Socket;
  }

  readonly handler: SocketHandler = {
    onData: (bytes, start, end) => {
      this.heard.push(...bytes.subarray(start, end));
    },
    onDrain: () => undefined,
    onClose: () => undefined,
  };
}

test('what a learner says before there is a role is heard by the role, in order', () => {
  const links = new EarlyLinks();
  const peer = new Peer();
  const early = links.accept(peer.socket);
  early.onData(Uint8Array.of(9, 1, 2, 9), 1, 3);
  assert.deepEqual(peer.heard, []);
  links.handOver(() => peer.handler);
  early.onData(Uint8Array.of(3), 0, 1);
  assert.deepEqual(peer.heard, [1, 2, 3]);
  links.handOver(() => assert.fail('it has been handed over'));
});

test('whoever is gone by then is not handed over', () => {
  const links = new EarlyLinks();
  links.accept(new Peer().socket).onClose(null);
  links.handOver(() => assert.fail('it is gone'));
});

test('neither very many nor very much is kept, and nothing once the server stops', () => {
  const links = new EarlyLinks();
  const talker = new Peer();
  links.accept(talker.socket).onData(new Uint8Array(5000), 0, 5000);
  assert.ok(talker.isDestroyed);
  const peers = Array.from({ length: 100 }, () => new Peer());
  for (const peer of peers) links.accept(peer.socket);
  assert.equal(peers.filter(({ isDestroyed }) => isDestroyed).length, 37);
  links.close();
  assert.ok(peers.every(({ isDestroyed }) => isDestroyed));
  const late = new Peer();
  links.accept(late.socket);
  assert.ok(late.isDestroyed);
});

test('whoever is refused is neither kept nor heard', () => {
  const links = new EarlyLinks();
  const peer = new Peer();
  const refused = links.refuse(peer.socket);
  assert.ok(peer.isDestroyed);
  refused.onData(Uint8Array.of(1), 0, 1);
  refused.onClose(null);
  links.handOver(() => assert.fail('it was refused'));
});
