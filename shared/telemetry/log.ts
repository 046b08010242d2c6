/** Owns structured logging: one JSON line an event, secrets redacted, nothing personal. */
import pino from 'pino';

export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  child(fields: Readonly<Record<string, unknown>>): Log;
}

const SECRETS = [
  'password',
  'authorization',
  'cookie',
  'key',
  'secret',
  'seal',
  'masterKey',
  'tenantKey',
  'redisUrl',
  'mongodbUrl',
];

/** Logs go to standard error, so that standard output stays for what a program reads. */
export function openLog(
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent',
  fields: Readonly<Record<string, unknown>> = {},
): Log {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino(
    { level, base: { ...fields }, redact: { paths, censor: '[redacted]' } },
    pino.destination({ dest: 2, sync: false }),
  );
}
