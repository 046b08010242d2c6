/**
 * Owns what is said of TLS, to services and to people: with which certificates a connection is made, from which version on, and in words why it was not made.
 * There is no way not to check a certificate.
 */
import { AppError } from '../errors.ts';

/** As PEM texts. */
export interface TlsTrust {
  /** Who is trusted; absent: the authorities of the system. */
  readonly ca?: string | undefined;
  /** What this process shows of itself, where it is asked for; both or neither. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export const TLS_VERSION_MIN = 'TLSv1.2';

/** Options of node:tls, as drivers hand them on. */
export const tlsOptions = (trust: TlsTrust) => ({ ...trust, minVersion: TLS_VERSION_MIN }) as const;

/** Of ioredis, for an address. */
export const redisTls = (url: string, trust: TlsTrust = {}) =>
  url.startsWith('rediss:') ? { tls: tlsOptions(trust) } : {};

/** Where the certificates of connections to Redis are set. */
export const REDIS_TLS_SETTINGS =
  'MILLRACE_REDIS_CA_FILE, MILLRACE_REDIS_CERT_FILE, MILLRACE_REDIS_KEY_FILE; in a service connect({ tls })';

/** Errors that lie behind one another. */
const CAUSES_MAX = 8;

const WORDS: readonly (readonly [RegExp, string, string])[] = [
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired', 'renew it on the server'],
  [/^CERT_NOT_YET_VALID$/, 'its certificate is not valid yet', 'compare the clocks of both machines'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name', 'use a name that is in the certificate'],
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_(UNTRUSTED|REVOKED|SIGNATURE_FAILURE))$/,
    'nobody who is trusted has signed its certificate',
    'name the file of its authority',
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/,
    'it does not speak TLS on that port',
    'check the address',
  ],
  [
    /^ERR_SSL_(UNSUPPORTED_PROTOCOL|TLSV1_ALERT_PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE|VERSION_TOO_LOW)$/,
    `it speaks no version from ${TLS_VERSION_MIN} on`,
    'bring the server up to date',
  ],
  [
    /^ERR_SSL_\w*ALERT\w*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)\w*$/,
    'it does not take the certificate of this process',
    'name the files of a certificate and its key that the server trusts',
  ],
];

/** A server that ends a connection for the lack of a certificate says so, but may be gone before its word is read. */
const ENDED = /^(ECONNRESET|EPIPE)$/;
const ENDED_AT_FIRST = {
  why: 'it ended the connection at once',
  todo: 'it may ask for a certificate of this process that it trusts',
};

/** What went wrong with TLS, if that is what went wrong. */
function findingOf(thrown: unknown, atFirst: boolean): Finding | undefined {
  let error: unknown = thrown;
  for (let depth = 0; error instanceof Error && depth < CAUSES_MAX; depth++, error = error.cause) {
    const reason = 'code' in error ? String(error.code) : '';
    const found = WORDS.find(([pattern]) => pattern.test(reason));
    if (found !== undefined) return { why: found[1], todo: found[2], reason };
    if (atFirst && ENDED.test(reason)) return { ...ENDED_AT_FIRST, reason };
  }
  return undefined;
}

interface Finding {
  readonly why: string;
  readonly todo: string;
  readonly reason: string;
}

/** TLS_FAILED with what to do; undefined where TLS is not what failed. `settings`: how its certificates are named; `atFirst`: by TLS, and no connection was ever made. */
export function tlsFailure(
  thrown: unknown,
  {
    service,
    address,
    settings,
    atFirst,
  }: { readonly service: string; readonly address: string; readonly settings: string; readonly atFirst: boolean },
): AppError | undefined {
  const found = findingOf(thrown, atFirst);
  if (found === undefined) return undefined;
  const { why, todo, reason } = found;
  // The driver's error may repeat an address with its password: it goes no further.
  return new AppError('TLS_FAILED', {
    message: `${service} at ${address} cannot be trusted: ${why} (${reason}); ${todo} (${settings}).`,
    details: { service, address, reason },
  });
}
