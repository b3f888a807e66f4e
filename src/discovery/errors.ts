/**
 * How requests through a load balancer fail when it is not the instance's own error that is thrown:
 * nobody to send to, or no answer in time.
 */
export class NoInstanceError extends Error {
  override readonly name = 'NoInstanceError';
  readonly service: string;

  constructor(service: string, why: string) {
    super(`${service}: ${why}`);
    this.service = service;
  }
}

/** An attempt took longer than it may; another instance may be quicker. */
export class AttemptTimeoutError extends Error {
  override readonly name = 'AttemptTimeoutError';
  readonly service: string;
  readonly instanceId: string;

  constructor(service: string, instanceId: string, timeoutMs: number) {
    super(`${service}: no answer of ${instanceId} within ${timeoutMs} ms`);
    this.service = service;
    this.instanceId = instanceId;
  }
}

/** Fewer of the instances that were asked at once have answered well than were needed. */
export class FanOutError extends AggregateError {
  override readonly name = 'FanOutError';

  constructor(service: string, succeeded: number, needed: number, errors: readonly unknown[]) {
    super(errors, `${service}: ${succeeded} of the ${needed} answers needed`);
  }
}
