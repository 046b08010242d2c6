/**
 * Owns sending a delivery, and signing it as Standard Webhooks (standardwebhooks.com) has it, so that receivers find ready-made
 * verification: HMAC-SHA256 over "id.timestamp.body" in the header `webhook-signature`.
 */
import { createHmac } from 'node:crypto';
import { type RequestOptions, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { AppError } from '../../shared/errors.ts';
import { guardedLookup, webhookUrl } from '../../shared/http/webhook-address.ts';

const ANSWER_MS_MAX = 10_000;

export interface Delivery {
  readonly url: string;
  readonly body: string;
  /** How the address knows who is calling. */
  readonly headers: Readonly<Record<string, string>>;
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
}

export function signatureOf(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** Headers of a signed delivery. `id` is the same for every attempt, `nowMs` is the moment of the attempt; the secret is whsec_ and base64. */
export function signed(
  secret: string,
  { body, id, nowMs }: { readonly id: string; readonly body: string; readonly nowMs: number },
): Delivery['headers'] {
  const timestamp = Math.floor(nowMs / 1000);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatureOf(secret, id, timestamp, body),
  };
}

/** The status of an answer that took it. Throws WEBHOOK_FAILED and WEBHOOK_ADDRESS_REFUSED. Redirections are not followed. */
export async function post(delivery: Delivery): Promise<number> {
  const { url: text, headers, body, allowPrivate, signal } = delivery;
  const url = webhookUrl(text, allowPrivate);
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    lookup: guardedLookup(allowPrivate),
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'millrace',
      ...headers,
    },
  };
  let status: number;
  try {
    status = await send(url, options, body);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof AppError) throw thrown;
    const reason = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'no answer';
    throw new AppError('WEBHOOK_FAILED', { details: { host: url.host, reason } });
  }
  if (status >= 200 && status < 300) return status;
  throw new AppError('WEBHOOK_FAILED', {
    message: `The webhook at ${url.host} answered with status ${status}.`,
    details: { host: url.host, status },
  });
}

/** What is answered beside the status is not read: the connection ends with it. */
function send(url: URL, options: RequestOptions, body: string): Promise<number> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
