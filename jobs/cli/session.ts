/** Owns what a command opens: configuration, store, client. Each is opened when first asked for and closed with the session. */
import { type Config, readConfig } from '../../shared/config.ts';
import { openStore, storeAt } from '../../shared/store/mongo/open.ts';
import type { Store } from '../../shared/store/ports.ts';
import { connect, type Millrace } from '../client/index.ts';
import type { Output } from './output.ts';

export interface Session extends AsyncDisposable {
  readonly config: Config;
  readonly output: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly store: () => Promise<Store>;
  readonly client: () => Millrace;
}

export function openSession(output: Output, signal: AbortSignal): Session {
  const config = readConfig();
  const stack = new AsyncDisposableStack();
  let store: Promise<Store> | undefined;
  let client: Millrace | undefined;
  return {
    config,
    output,
    signal,
    store: () => (store ??= openStore(storeAt(config)).then((opened) => stack.use(opened))),
    client: () =>
      (client ??= stack.use(
        connect({
          redis: config.redisUrl,
          tls: config.redisTls,
          seal: config.sealKeys,
          tenant: config.tenant,
          prefix: config.prefix,
        }),
      )),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
