/**
 * Owns a TCP proxy between worker processes and a server that can go half-open: connections stay, nothing gets through,
 * nobody is told. A connection that has once gone deaf stays so; only new ones work after healing.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly inner: Socket;
  readonly outer: Socket | undefined;
}

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

export class ChaosProxy implements AsyncDisposable {
  readonly port: number;
  /** Where new connections lead. */
  target: ProxyTarget;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isDeaf = false;

  private constructor(server: Server, target: ProxyTarget) {
    this.#server = server;
    this.target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (inner) => this.#accept(inner));
  }

  /** Listens on a free port of loopback. */
  static async open(target: ProxyTarget): Promise<ChaosProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ChaosProxy(server, target);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#pairs.size;
  }

  #accept(inner: Socket): void {
    inner.on('error', () => {}); // a killed worker; `close` follows
    const outer = this.#isDeaf ? undefined : connect(this.target);
    const pair: Pair = { inner, outer };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      inner.destroy();
      outer?.destroy();
    };
    inner.on('close', end);
    if (outer === undefined) {
      inner.resume(); // swallows
      return;
    }
    outer.on('error', () => {});
    outer.on('close', end);
    inner.pipe(outer);
    outer.pipe(inner);
  }

  /** All connections go deaf for good, and new ones are accepted deaf until `heal`. */
  halfOpen(): void {
    this.#isDeaf = true;
    for (const { inner, outer } of this.#pairs) {
      if (outer === undefined) continue;
      inner.unpipe(outer);
      outer.unpipe(inner);
      // The client must not hear of it when the server gives up on its side.
      outer.removeAllListeners('close');
      inner.resume();
      outer.resume();
    }
  }

  heal(): void {
    this.#isDeaf = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const { inner, outer } of this.#pairs) {
      inner.destroy();
      outer?.destroy();
    }
  }
}
