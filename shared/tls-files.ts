/** Owns the certificates of a configuration: files that settings name, read once, and refused where no connection could be made with them. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsTrust } from './contract-kit/tls.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const SERVICES = {
  redis: {
    url: 'REDIS_URL',
    isTls: /^rediss:/,
    needs: 'rediss://',
    names: { ca: 'MILLRACE_REDIS_CA_FILE', cert: 'MILLRACE_REDIS_CERT_FILE', key: 'MILLRACE_REDIS_KEY_FILE' },
  },
  mongodb: {
    url: 'MONGODB_URL',
    isTls: /^mongodb\+srv:|[?&](tls|ssl)=true(&|$)/,
    needs: 'tls=true in it',
    names: { ca: 'MILLRACE_MONGODB_CA_FILE', cert: 'MILLRACE_MONGODB_CERT_FILE', key: 'MILLRACE_MONGODB_KEY_FILE' },
  },
} as const;

export const isTlsUrl = (service: keyof typeof SERVICES, url: string): boolean => SERVICES[service].isTls.test(url);

/** Where a server's own certificate and key lie; they are read anew when they are renewed. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** What a connection to a service is made with; undefined: nothing is set. A list: every problem. */
export function trustOf(
  service: keyof typeof SERVICES,
  environment: Environment,
  url: string | undefined,
): TlsTrust | readonly string[] | undefined {
  const { names, isTls, needs, url: variable } = SERVICES[service];
  const set = Object.values(names).filter((name) => environment[name] !== undefined);
  if (set.length === 0) return undefined;
  const problems: string[] = [];
  if (url !== undefined && !isTls.test(url))
    problems.push(`${variable} must be an address with ${needs} where ${set[0]} is set`);
  const read = (name: string): string | undefined => readPem(environment[name], name, problems);
  const trust = { ca: read(names.ca), cert: read(names.cert), key: read(names.key) };
  if (problems.length === 0) problems.push(...problemsOf(trust, names));
  if (problems.length > 0) return problems;
  return Object.freeze(Object.fromEntries(Object.entries(trust).filter(([, text]) => text !== undefined)));
}

/** The certificate of gateway and dashboard. */
export function servedWith(environment: Environment): CertificateFiles | readonly string[] | undefined {
  const names = { cert: 'MILLRACE_TLS_CERT_FILE', key: 'MILLRACE_TLS_KEY_FILE' };
  const [cert, key] = [environment[names.cert], environment[names.key]];
  if (cert === undefined && key === undefined) return undefined;
  const problems: string[] = [];
  const pair = { cert: readPem(cert, names.cert, problems), key: readPem(key, names.key, problems) };
  if (problems.length === 0) problems.push(...problemsOf(pair, names));
  return problems.length > 0 || cert === undefined || key === undefined ? problems : Object.freeze({ cert, key });
}

function readPem(path: string | undefined, name: string, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN ')) return text;
    problems.push(`${name} must name a file in the PEM format`);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
    problems.push(`${name} names a file that cannot be read (${code})`);
  }
  return undefined;
}

type Names = { readonly ca?: string; readonly cert: string; readonly key: string };

/** Whether a context can be made of them: what the library says may quote a file, so it is put in words of ours. */
function problemsOf({ ca, cert, key }: TlsTrust, names: Names): string[] {
  if ((cert === undefined) !== (key === undefined))
    return [`${names.cert} and ${names.key} must be set both or neither`];
  const problems: string[] = [];
  if (ca !== undefined && !isCertificate(ca)) problems.push(`${names.ca} holds no certificate that can be read`);
  if (cert !== undefined && !makes({ cert, key }))
    problems.push(`${names.cert} and ${names.key} do not hold a certificate and its key`);
  return problems;
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

function makes(options: TlsTrust): boolean {
  try {
    createSecureContext({ ...options });
    return true;
  } catch {
    return false;
  }
}
