/** Where a service is found by its name: DNS SRV, or whatever a world has in its place. */
export interface ServicePlace {
  readonly host: string;
  readonly port: number;
}

export interface ServiceNames {
  /** The places of `_service._protocol.domain`, the preferred ones first. Rejects when there are none. */
  lookUp(name: string): Promise<readonly ServicePlace[]>;
}
