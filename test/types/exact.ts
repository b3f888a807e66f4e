/** How exactness is asked: by types that only compile when two others are one and the same. */

/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- how identity of types is asked */
export type IsSame<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/* eslint-enable @typescript-eslint/no-unnecessary-type-parameters */
export type Is<Holds extends true> = Holds;

/** What a method answers in the end. */
export type Answer<Of, Name extends keyof Of> = Of[Name] extends (
  ...args: never[]
) => Promise<infer Result>
  ? Result
  : never;

/** What each round of `for await` gives. */
export type Each<Of, Name extends keyof Of> = Of[Name] extends (
  ...args: never[]
) => AsyncIterable<infer Item>
  ? Item
  : never;
