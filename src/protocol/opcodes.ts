/**
 * What a request asks for, and what a transaction does: ZooKeeper numbers both from one table, so a
 * log record says `create` with the same 1 that the client sent. Negative numbers never come from a
 * client as plain requests, save for closeSession.
 */
export const OpCode = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  createSession: -10,
  closeSession: -11,
  error: -1,
} as const;

export type OpName = keyof typeof OpCode;
export type OpCodeValue = (typeof OpCode)[OpName];

const nameOfCode = new Map<number, OpName>(
  (Object.keys(OpCode) as OpName[]).map((name) => [OpCode[name], name]),
);

export function isOpCode(code: number): code is OpCodeValue {
  return nameOfCode.has(code);
}

/** For humans: the name, or `unknown 77` for a number that has none. */
export function opName(code: number): string {
  return nameOfCode.get(code) ?? `unknown ${code}`;
}

/** A client's request of this kind becomes a transaction: it must not be executed twice. */
export function isClientWrite(op: number): boolean {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.setData:
    case OpCode.setACL:
    case OpCode.multi:
    case OpCode.reconfig:
    case OpCode.closeSession:
      return true;
    default:
      return false;
  }
}
