/** A credential on its way: shown as soon as there is a server, awaited for a session's timeout. */
import { whenAborted } from './abort-group.js';
import { ClientClosedError, ConnectionLossError } from './errors.js';
import type { Credential } from './greeting.js';
import type { Session } from './session.js';

/** Resolves when a server has accepted it; every later server is shown it too. */
export function showAuth(
  session: Session,
  scheme: string,
  auth: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (session.isEnding || !session.isStarted) {
      reject(new ClientClosedError());
      return;
    }
    const credential: Credential = {
      scheme,
      auth,
      onAnswer: (error) => {
        settle();
        if (error === null) resolve();
        else reject(error);
      },
    };
    const giveUp = (reason: Error): void => {
      settle();
      session.greeting.withdraw(credential);
      reject(reason);
    };
    const timer = session.world.clock.after(session.timeoutMs, () => {
      const { lastFailure: cause } = session;
      giveUp(new ConnectionLossError(undefined, cause === null ? undefined : { cause }));
    });
    const settle = (): void => {
      timer.cancel();
      offAbort?.();
    };
    // whatever it was aborted with
    const onAbort = (reason: unknown): void => {
      giveUp(reason as Error);
    };
    const offAbort = signal === undefined ? null : whenAborted(signal, onAbort);
    session.greeting.add(credential, session.attached);
  });
}
