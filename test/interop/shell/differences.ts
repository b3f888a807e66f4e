/**
 * Where our shell says something else than Apache's on purpose, each with the reason. What is listed
 * here is printed by the run; what is not listed must be the same to the letter.
 */
export interface Difference {
  /** Of these commands. */
  readonly command: RegExp;
  readonly reason: string;
  /** What Apache's prints there and ours does not, and the other way round. */
  readonly theirs?: RegExp;
  readonly ours?: RegExp;
}

export const differences: readonly Difference[] = [
  {
    command: /./,
    theirs: /^org\.apache\.commons\.cli\.\w+: (?<sentence>.*)/,
    ours: /^(Unrecognized option: |Missing argument for option: )/,
    reason: 'a sentence does not begin with the name of a Java class',
  },
  {
    command:
      /^(create|ls|get|delete|getAllChildrenNumber|setAcl|addauth|addWatch|sync|listquota|version x|set \S+|reconfig)\b/,
    theirs: /^(\w+ [[(p-].*|create .*|addauth scheme auth|\w+ path|version )$|^ -\S.*|^$/,
    ours: /^an argument is missing$/,
    reason: 'what is wrong is said first, and the usage with it',
  },
  {
    command: /^version x/,
    ours: /^ZooKeeper CLI version/,
    reason: 'an argument too many is passed over, as for every other command',
  },
  {
    command: /./,
    theirs: /has been deprecated\. Please use/,
    ours: /is deprecated: /,
    reason: 'our own words for old forms',
  },
  {
    command: /^ls -\?/,
    theirs: /^usage: ls|^ -. |^\[/,
    ours: /^ls \[-s\]|^ -/,
    reason: 'help is printed instead of being followed by what was not asked for',
  },
  {
    command: /^create .*(acl1|acl2|q r)/,
    theirs: /^KeeperErrorCode = InvalidACL|^Acl is not valid : null/,
    reason: 'an ACL that cannot be read is refused here; what the server refuses is told once',
  },
  {
    command: /^create -[cet]/,
    theirs: /^(-c cannot be combined|-t argument must be)/,
    ours: /^(-c cannot be combined|-t argument must be)/,
    reason: 'our own words',
  },
  {
    command: /^deleteall -b x/,
    theirs: /^-b argument must be an int value/,
    ours: /^-b must be a whole number/,
    reason: 'our own words',
  },
  {
    command: /^(addWatch -m nope|reconfig|setquota|delquota)/,
    theirs:
      /^(addWatch \[-m|reconfig \[-s|setquota -n|\[?-v must|Can't use|org\.apache|NumberFormat)/,
    ours: /^(a mode is|what is to change|-members and|-v is|one of -n|of -n, -b|'x' is not)/,
    reason: 'what is wrong is said first, and the usage with it',
  },
  {
    command: /^(setquota|delquota)/,
    theirs: /^(\[Warning\]|Quota does not exist)/,
    ours: /^(\[Warning\]|Quota does not exist)/,
    reason: 'warnings and refusals are no data: they go to standard error',
  },
  {
    command: /^sync/,
    theirs: /^Sync has failed\. rc=-119/,
    ours: /^Not a read-only call: /,
    reason: 'a refusal is no data, and is told in the words of all others',
  },
  {
    command: /^nonsense/,
    theirs: /^(ZooKeeper -server|\t|Command not found: Command not found nonsense)/,
    ours: /^Command not found: nonsense; help lists the commands/,
    reason: 'one line, and not the usage of everything',
  },
  {
    command: /^version/,
    theirs: /^ZooKeeper CLI version: 3\.9\.5-/,
    ours: /^ZooKeeper CLI version: 3\.9\.5-zabra/,
    reason: 'it is another program',
  },
];
