/**
 * How a znode comes to be, as the `flags` of a create request. They look like bits and are not: 4 is
 * a container, not "sequential ephemeral plus something", so they are asked through predicates.
 */
export const CreateMode = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTtl: 5,
  persistentSequentialWithTtl: 6,
} as const;

export type CreateModeName = keyof typeof CreateMode;
export type CreateModeValue = (typeof CreateMode)[CreateModeName];

export function isCreateMode(flags: number): flags is CreateModeValue {
  return Number.isInteger(flags) && flags >= 0 && flags <= 6;
}

/** Deleted with the session that made it. */
export function isEphemeral(flags: number): boolean {
  return flags === CreateMode.ephemeral || flags === CreateMode.ephemeralSequential;
}

/** The server appends ten digits to the name. */
export function isSequential(flags: number): boolean {
  return (
    flags === CreateMode.persistentSequential ||
    flags === CreateMode.ephemeralSequential ||
    flags === CreateMode.persistentSequentialWithTtl
  );
}

/** Deleted by the server some time after its last child. */
export function isContainer(flags: number): boolean {
  return flags === CreateMode.container;
}

/** Deleted by the server when it has no children and was not changed for its time to live. */
export function isTtl(flags: number): boolean {
  return flags === CreateMode.persistentWithTtl || flags === CreateMode.persistentSequentialWithTtl;
}
