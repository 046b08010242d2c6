/** Owns a service that knows the gateway alone: it asks over HTTP, and takes for granted only what was answered. */
import { AppError } from '../../shared/errors.ts';

/** What an answered batch was called. */
interface Taken {
  readonly runKey: string;
  readonly jobId: string;
}

const TIMEOUT_MS = 10_000;

export class GatewayCaller {
  readonly #address: () => string | undefined;
  readonly #key: string;

  /** `address`: where the gateway listens now; undefined: nowhere. */
  constructor(address: () => string | undefined, key: string) {
    this.#address = address;
    this.#key = key;
  }

  /** Hands over a batch of one part. Throws SERVICE_UNAVAILABLE when it was not answered: ask again with the same key. */
  async ingest(batch: object, key: string): Promise<Taken> {
    const address = this.#address();
    if (address === undefined) throw new AppError('SERVICE_UNAVAILABLE');
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${address}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ ...batch, key }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      text = await response.text();
    } catch (cause) {
      throw new AppError('SERVICE_UNAVAILABLE', { cause });
    }
    if (response.status >= 500) throw new AppError('SERVICE_UNAVAILABLE');
    if (response.status !== 202) throw new RangeError(`the gateway answered ${response.status}: ${text}`);
    const { ids, runKeys } = JSON.parse(text) as { readonly ids: string[]; readonly runKeys: string[] };
    const [jobId, runKey] = [ids[0], runKeys[0]];
    if (jobId === undefined || runKey === undefined || runKeys.length > 1)
      throw new RangeError(`the gateway made ${runKeys.length} jobs of a batch of one part`);
    return { jobId, runKey };
  }
}
