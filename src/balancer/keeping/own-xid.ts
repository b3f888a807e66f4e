/** The balancer's own questions on a client's connection to its server, far from clients' numbers. */
export const OwnXid = {
  sync: -0x5a42_0001,
  fate: -0x5a42_0002,
  catchUp: -0x5a42_0003,
  /** One znode of those below the client's lasting watches. */
  survey: -0x5a42_0004,
} as const;
