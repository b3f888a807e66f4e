/** Stands between clients and servers, and can cut everything that it carries. */
import { connect, createServer, type Socket } from 'node:net';

export interface Relay {
  readonly connectString: string;
  readonly cut: () => void;
  close(): Promise<void>;
}

/** Each connection goes to the next of the servers. */
export async function relayTo(connectString: string): Promise<Relay> {
  const targets = connectString.split(',').map((one) => new URL(`tcp://${one}`));
  const open = new Set<Socket>();
  let next = 0;
  const server = createServer((near) => {
    const target = targets[next++ % targets.length];
    const far = connect({ host: target?.hostname ?? '', port: Number(target?.port) });
    near.setNoDelay(true);
    far.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    connectString: `127.0.0.1:${port}`,
    cut,
    close: async () => {
      cut();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
