/** Owns a front that ends TLS before a server that speaks plainly, for tests: our side of the connection is the same as with a server that speaks TLS itself. */
import { once } from 'node:events';
import { connect, createServer as createPlainServer, type Server } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';

export interface Front extends AsyncDisposable {
  readonly port: number;
}

async function listening(server: Server): Promise<Front> {
  const open = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** Hands on what is said on `host:port` to whoever comes by TLS. */
export function tlsFront(behind: string, options: TlsOptions): Promise<Front> {
  const { hostname, port } = new URL(behind);
  const server = createServer(options, (socket) => {
    const plain = connect(Number(port), hostname);
    for (const [from, to] of [
      [socket, plain],
      [plain, socket],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  server.on('tlsClientError', () => {}); // the client's own error is what a test looks at
  return listening(server);
}

/** Answers whoever comes as a server that knows nothing of TLS. */
export const plainFront = (): Promise<Front> =>
  listening(
    createPlainServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('-ERR unknown command\r\n'));
    }),
  );
