/**
 * The client's types, exactly: compiling this file is the test. What a caller is given has neither more
 * nor less than it says here, and what cannot be right does not compile.
 */
import {
  Client,
  type Acl,
  type ClientEvents,
  type ClientState,
  type Created,
  type NodeChildren,
  type NodeData,
  type ReadResult,
  type SessionTicket,
  type Stat,
  type WatchEvent,
  type ZkClient,
} from 'zabra/client';
import type { ZkError } from 'zabra/protocol';
import type { Answer, Is, IsSame } from './exact.js';

export type Checked = [
  Is<IsSame<Answer<Client, 'create'>, Created>>,
  Is<IsSame<Answer<Client, 'getData'>, NodeData>>,
  Is<IsSame<NodeData['data'], Buffer>>,
  Is<IsSame<Answer<Client, 'setData'>, Stat>>,
  Is<IsSame<Answer<Client, 'exists'>, Stat | null>>,
  Is<IsSame<Answer<Client, 'getChildren'>, NodeChildren>>,
  Is<IsSame<NodeChildren['children'], string[]>>,
  Is<IsSame<Answer<Client, 'delete'>, void>>,
  Is<IsSame<Answer<Client, 'getACL'>['acl'], Acl[]>>,
  Is<IsSame<Answer<Client, 'sync'>, string>>,
  Is<IsSame<Answer<Client, 'getAllChildrenNumber'>, number>>,
  Is<IsSame<Answer<Client, 'getEphemerals'>, string[]>>,
  Is<IsSame<Answer<Client, 'multiRead'>, (ReadResult | ZkError)[]>>,
  Is<IsSame<Answer<Client, 'detach'>, SessionTicket>>,
  Is<IsSame<Answer<Client, 'close'>, void>>,
  Is<IsSame<ReturnType<Client['watch']>, AsyncIterableIterator<WatchEvent, undefined>>>,
  Is<IsSame<ReturnType<Client['chroot']>, ZkClient>>,
  Is<IsSame<ClientState, 'connecting' | 'connected' | 'suspended' | 'lost' | 'closed'>>,
  Is<IsSame<ClientEvents['state'], [state: ClientState, previous: ClientState]>>,
  Is<IsSame<Stat['czxid'], bigint>>,
  Is<IsSame<Stat['ctime'], number>>,
  Is<IsSame<Client['sessionId'], bigint>>,
  Is<Client extends ZkClient ? true : false>,
];

/** Never called. */
export async function refused(zk: Client): Promise<void> {
  // @ts-expect-error there is no such mode
  await zk.create('/a', '', { mode: 'eternal' });
  // @ts-expect-error numbers are no data
  await zk.setData('/a', 7);
  // @ts-expect-error a version is a number
  await zk.delete('/a', { version: '7' });
  // @ts-expect-error there is no such event
  zk.on('connected', () => undefined);
  // @ts-expect-error a stat is not changed
  (await zk.setData('/a', '')).version = 1;
  // @ts-expect-error the state is told, not set
  zk.state = 'connected';
  // @ts-expect-error a connect string is needed
  new Client();
}
