/**
 * Owns certificates made for tests, by nothing but node:crypto: an authority, and what it signs. Keys are P-256, signatures ECDSA with SHA-256; the few
 * structures of RFC 5280 are written as DER by hand.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

export interface Certified {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Names and IPv4 addresses that it is for. */
  readonly names?: readonly string[];
  readonly from?: number;
  readonly until?: number;
}

export interface Authority {
  /** PEM of its own certificate. */
  readonly cert: string;
  issue(options?: CertificateOptions): Certified;
}

const DAY_MS = 86_400_000;
const LOOPBACK = ['localhost', '127.0.0.1'];
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const digits = body.length.toString(16);
  const length = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const bits = (body: Uint8Array): Buffer => der(0x03, Buffer.from([0]), body);
const commonName = (name: string): Buffer =>
  sequence(der(0x31, sequence(Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(name)))));
/** UTCTime, for years before 2050. */
const time = (ms: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')}Z`));
const extension = (oid: string, body: Uint8Array, critical = false): Buffer =>
  sequence(Buffer.from(`0603${oid}`, 'hex'), ...(critical ? [Buffer.from('0101ff', 'hex')] : []), der(0x04, body));

const alternative = (name: string): Buffer =>
  isIPv4(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));

function pem(label: string, body: Buffer): string {
  const lines = body.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

interface Draft {
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly from: number;
  readonly until: number;
  readonly extensions: readonly Buffer[];
}

function signed({ issuer, subject, publicKey, signer, from, until, extensions }: Draft): string {
  const serial = randomBytes(8);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0);
  const body = sequence(
    der(0xa0, Buffer.from('020102', 'hex')),
    der(0x02, serial),
    ECDSA_SHA256,
    commonName(issuer),
    sequence(time(from), time(until)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  return pem('CERTIFICATE', sequence(body, ECDSA_SHA256, bits(sign('sha256', body, signer))));
}

/** An authority that nobody knows yet. */
export function authority(name: string): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const cert = signed({
    issuer: name,
    subject: name,
    publicKey: own.publicKey,
    signer: own.privateKey,
    from: now - 30 * DAY_MS,
    until: now + 30 * DAY_MS,
    extensions: [
      extension('551d13', sequence(Buffer.from('0101ff', 'hex')), true), // an authority
      extension('551d0f', Buffer.from('03020204', 'hex'), true), // that signs certificates
    ],
  });
  return {
    cert,
    issue({ names = LOOPBACK, from = now - DAY_MS, until = now + DAY_MS } = {}) {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return {
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        cert: signed({
          issuer: name,
          subject: names[0] ?? name,
          publicKey,
          signer: own.privateKey,
          from,
          until,
          extensions: [extension('551d11', sequence(...names.map(alternative)))],
        }),
      };
    },
  };
}
