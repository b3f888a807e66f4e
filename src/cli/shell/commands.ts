/**
 * The commands of the shell by name: zkCli's, with its flags, and ours behind them. What a command
 * does is loaded when it is called.
 */
import type { CommandEntry } from './command.js';
import type { FlagSpec } from './flags.js';

const stats: FlagSpec = { name: 's', about: 'and its stat' };
const watch: FlagSpec = { name: 'w', about: 'tell the next change of it' };
const version: FlagSpec = { name: 'v', value: 'version', about: 'only if this is its version' };
const base64: FlagSpec = { name: 'b', about: 'the data is in base64' };
const quotaFlags = (value?: string): FlagSpec[] => {
  const valued = value === undefined ? {} : { value };
  return [
    { name: 'n', ...valued, about: 'znodes: more is warned of' },
    { name: 'b', ...valued, about: 'bytes: more is warned of' },
    { name: 'N', ...valued, about: 'znodes: more is refused' },
    { name: 'B', ...valued, about: 'bytes: more is refused' },
  ];
};
const planFlags: readonly FlagSpec[] = [
  { name: 'dry-run', about: 'tell what would change, and change nothing' },
  { name: 'max-bytes', value: 'N', about: 'jute.maxbuffer of the servers, if not 1048575' },
];

const read = (): Promise<typeof import('./commands/read.js')> => import('./commands/read.js');
const write = (): Promise<typeof import('./commands/write.js')> => import('./commands/write.js');
const quota = (): Promise<typeof import('./commands/quota.js')> => import('./commands/quota.js');
const watches = (): Promise<typeof import('./commands/watches.js')> =>
  import('./commands/watches.js');
const ensemble = (): Promise<typeof import('./commands/ensemble.js')> =>
  import('./commands/ensemble.js');
const session = (): Promise<typeof import('./commands/session.js')> =>
  import('./commands/session.js');
const survey = (): Promise<typeof import('./commands/survey.js')> => import('./commands/survey.js');
const dump = (): Promise<typeof import('./commands/dump.js')> => import('./commands/dump.js');

const entries: Readonly<Record<string, CommandEntry>> = {
  addWatch: {
    usage: '[-m mode] path',
    about: 'tell all that happens to a znode, or below it',
    flags: [
      { name: 'm', value: 'mode', about: 'PERSISTENT or PERSISTENT_RECURSIVE, the usual one' },
    ],
    needs: 1,
    load: async () => (await watches()).addWatch,
  },
  addauth: {
    usage: 'scheme auth',
    about: 'show who you are: digest user:password',
    flags: [],
    needs: 2,
    load: async () => (await session()).addAuth,
  },
  config: {
    usage: '[-c] [-w] [-s]',
    about: "the ensemble's configuration",
    flags: [stats, watch, { name: 'c', about: 'its version and connect string' }],
    needs: 0,
    load: async () => (await ensemble()).config,
  },
  create: {
    usage: '[-s] [-e] [-c] [-t ttl] [-p] [-b] path [data] [acl]',
    about: 'make a znode',
    flags: [
      { name: 'e', about: 'ephemeral: it goes with this session' },
      { name: 's', about: 'sequential: the server appends a number' },
      { name: 'c', about: 'container: it goes after its last child' },
      { name: 't', value: 'ttl', about: 'goes when unchanged and childless so many ms' },
      { name: 'p', about: 'and the parents that are missing' },
      base64,
    ],
    needs: 1,
    load: async () => (await write()).create,
  },
  delete: {
    usage: '[-v version] path',
    about: 'delete a znode without children',
    flags: [version],
    needs: 1,
    load: async () => (await write()).remove,
  },
  deleteall: {
    usage: 'path [-b batch size]',
    about: 'delete a znode and all below it',
    flags: [{ name: 'b', value: 'size', about: 'so many in one transaction, 0: one by one' }],
    needs: 1,
    load: async () => (await write()).removeAll,
  },
  delquota: {
    usage: '[-n|-b|-N|-B] path',
    about: 'take a quota away, or a part of it',
    flags: quotaFlags(),
    needs: 1,
    load: async () => (await quota()).delQuota,
  },
  get: {
    usage: '[-s] [-w] [-b] [-x] path',
    about: 'the data of a znode',
    flags: [
      stats,
      watch,
      { name: 'b', about: 'in base64' },
      { name: 'x', about: 'as a hexadecimal dump' },
    ],
    needs: 1,
    load: async () => (await read()).get,
  },
  getAcl: {
    usage: '[-s] path',
    about: 'who may do what with a znode',
    flags: [stats],
    needs: 1,
    load: async () => (await read()).getAcl,
  },
  getAllChildrenNumber: {
    usage: 'path',
    about: 'how many znodes are below it',
    flags: [],
    needs: 1,
    load: async () => (await read()).getAllChildrenNumber,
  },
  getEphemerals: {
    usage: '[path]',
    about: "this session's ephemeral znodes",
    flags: [],
    needs: 0,
    load: async () => (await read()).getEphemerals,
  },
  listquota: {
    usage: 'path',
    about: 'a quota, and what of it is used',
    flags: [],
    needs: 1,
    load: async () => (await quota()).listQuota,
  },
  ls: {
    usage: '[-s] [-w] [-R] path',
    about: 'the children of a znode',
    flags: [
      stats,
      watch,
      { name: 'R', about: 'and all below them, a path a line' },
      { name: '?', about: 'this' },
    ],
    needs: 1,
    load: async () => (await read()).ls,
  },
  reconfig: {
    usage:
      '[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | ' +
      '[-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]',
    about: 'change who belongs to the ensemble',
    flags: [
      stats,
      { name: 'v', value: 'version', about: "only if this is the configuration's version" },
      { name: 'file', value: 'path', about: 'all members, by the lines of a configuration' },
      { name: 'members', value: 'list', about: 'all members' },
      { name: 'add', value: 'list', about: 'those that join, or change' },
      { name: 'remove', value: 'ids', about: 'those that leave' },
    ],
    needs: 0,
    load: async () => (await ensemble()).reconfig,
  },
  removewatches: {
    usage: 'path [-c|-d|-p|-r|-a] [-l]',
    about: 'forget the watches of a znode',
    flags: [
      { name: 'c', about: 'of its children' },
      { name: 'd', about: 'of its data' },
      { name: 'p', about: 'persistent ones' },
      { name: 'r', about: 'persistent recursive ones' },
      { name: 'a', about: 'any, as without these' },
      { name: 'l', about: 'here, even if no server can be asked' },
    ],
    needs: 1,
    load: async () => (await watches()).removeWatches,
  },
  set: {
    usage: 'path data [-s] [-v version] [-b]',
    about: 'change the data of a znode',
    flags: [{ name: 's', about: 'print its stat' }, version, base64],
    needs: 2,
    load: async () => (await write()).set,
  },
  setAcl: {
    usage: '[-s] [-v version] [-R] path acl',
    about: 'change who may do what with a znode',
    flags: [
      { name: 's', about: 'print its stat' },
      { name: 'v', value: 'version', about: 'only if this is the version of its ACL' },
      { name: 'R', about: 'and of all below it' },
    ],
    needs: 2,
    load: async () => (await write()).setAcl,
  },
  setquota: {
    usage: '-n|-b|-N|-B val path',
    about: 'limit what is below a znode',
    flags: quotaFlags('val'),
    needs: 1,
    load: async () => (await quota()).setQuota,
  },
  stat: {
    usage: '[-w] path',
    about: 'versions, times and sizes of a znode',
    flags: [watch],
    needs: 1,
    load: async () => (await read()).stat,
  },
  sync: {
    usage: 'path',
    about: "catch up with the ensemble's leader",
    flags: [],
    needs: 1,
    load: async () => (await read()).sync,
  },
  version: {
    usage: '',
    about: 'which shell this is',
    flags: [],
    needs: 0,
    isLocal: true,
    load: async () => (await session()).version,
  },
  whoami: {
    usage: '',
    about: 'whom the server takes you for',
    flags: [],
    needs: 0,
    load: async () => (await session()).whoAmI,
  },
  apply: {
    usage: '[--dry-run] [--prune] [--max-bytes N] file [path]',
    about: 'make a subtree as a file says',
    flags: [...planFlags, { name: 'prune', about: 'and delete what the file does not have' }],
    needs: 1,
    load: async () => (await dump()).apply,
  },
  diff: {
    usage: 'file [path]',
    about: 'where a subtree is not as a file says; ends with 1 then',
    flags: [],
    needs: 1,
    load: async () => (await dump()).diff,
  },
  du: {
    usage: '[path]',
    about: 'bytes and znodes below each child, the largest first',
    flags: [],
    needs: 0,
    load: async () => (await survey()).du,
  },
  export: {
    usage: '[--format text|json] [--force] path [file]',
    about: 'write a subtree to a file, to edit or to import',
    flags: [
      {
        name: 'format',
        value: 'form',
        about: 'text or json; by the name of the file unless given',
      },
      { name: 'force', about: 'write over a file that is there' },
    ],
    needs: 1,
    load: async () => (await dump()).exportTree,
  },
  import: {
    usage: '[--dry-run] [--overwrite|--skip] [--max-bytes N] file [path]',
    about: 'make what is in a file and not in the tree',
    flags: [
      ...planFlags,
      { name: 'overwrite', about: 'what is otherwise in the tree becomes as in the file' },
      { name: 'skip', about: 'what is otherwise in the tree stays as it is' },
    ],
    needs: 1,
    load: async () => (await dump()).importTree,
  },
  tree: {
    usage: '[path] [--depth N] [--sizes]',
    about: 'draw a subtree',
    flags: [
      { name: 'depth', value: 'N', about: 'so many levels' },
      { name: 'sizes', about: 'and the bytes of each znode' },
    ],
    needs: 0,
    load: async () => (await survey()).tree,
  },
  watch: {
    usage: 'path [-R] [--count N]',
    about: 'print what happens to a znode, until Ctrl-C',
    isEndless: true,
    flags: [
      { name: 'R', about: 'and to all below it' },
      { name: 'count', value: 'N', about: 'end after so many events' },
    ],
    needs: 1,
    load: async () => (await watches()).watch,
  },
};

export const commands: ReadonlyMap<string, CommandEntry> = new Map(Object.entries(entries));

/** What the shell does itself: their usage behind the name, and what they are for. */
export const builtIns: ReadonlyMap<string, readonly [usage: string, about: string]> = new Map([
  ['close', ['', 'end the session']],
  ['connect', ['host:port', 'to another server, or anew']],
  ['help', ['[command]', 'all commands, or the flags of one']],
  ['history', ['', 'the last commands, with their numbers']],
  ['printwatches', ['on|off', 'whether events are told']],
  ['quit', ['', 'leave']],
  ['redo', ['cmdno', 'a command of the history once more']],
]);

/** Every name, sorted. */
export function commandNames(): string[] {
  return [...commands.keys(), ...builtIns.keys()].sort();
}
