/** Where a host is: DNS, a file of the system, or whatever a world has in its place. */
export interface HostNames {
  /** At least one. Rejects when there is none now; may take long, and as many may be asked for at once. */
  addresses(host: string): Promise<readonly string[]>;
}
