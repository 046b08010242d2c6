/**
 * Owns which addresses a webhook may call. Whoever registers one makes this house send requests: it must not reach what only this house
 * can reach. Names are judged by what they resolve to, at the moment of the call and by the very lookup that the call uses.
 * Ranges: IANA special-purpose address registries (RFC 6890 and its updates).
 */
import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AppError } from '../errors.ts';

const URL_LENGTH_MAX = 2_000;

const SPECIAL_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;
/** Of IPv6 only what is handed out publicly may be called, and within that not what leads to IPv4 or is special. */
const SPECIAL_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const special = new BlockList();
for (const [net, prefix] of SPECIAL_V4) special.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of SPECIAL_V6) special.addSubnet(net, prefix, 'ipv6');
const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');

/** Whether an IP address is one that anybody can reach. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !special.check(address, 'ipv4');
  return version === 6 && publicV6.check(address, 'ipv6') && !special.check(address, 'ipv6');
}

const refused = (why: string): AppError =>
  new AppError('WEBHOOK_ADDRESS_REFUSED', { message: `The address of the webhook ${why}.` });

/** Judges what the text of an address tells. Throws WEBHOOK_ADDRESS_REFUSED; the text is not repeated, it may hold a secret. */
export function webhookUrl(text: string, allowPrivate: boolean): URL {
  const url = URL.canParse(text) && text.length <= URL_LENGTH_MAX ? new URL(text) : undefined;
  if (url === undefined) throw refused('cannot be understood');
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    throw refused('is not an https address');
  if (url.username !== '' || url.password !== '') throw refused('carries a user or password');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) throw refused('is not a public one');
  return url;
}

/** A lookup for one call: it fails with WEBHOOK_ADDRESS_REFUSED where a name leads to an address that may not be called. */
export function guardedLookup(allowPrivate: boolean, resolve: typeof lookup = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      const [first] = addresses;
      if (first === undefined) return callback(refused('leads nowhere'), '', 0);
      if (!allowPrivate && addresses.some(({ address }) => !isPublicAddress(address)))
        return callback(refused('leads to one that is not public'), '', 0);
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}
