import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';
import { guardedLookup, isPublicAddress, webhookUrl } from './webhook-address.ts';

test('only addresses that anybody can reach are public', () => {
  const reachable = ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111'];
  const not = [
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '198.18.0.1',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '192.0.2.1',
    'localhost',
    '',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    '2001::1',
  ];
  expect(reachable.filter((address) => !isPublicAddress(address))).toEqual([]);
  expect(not.filter(isPublicAddress)).toEqual([]);
});

test.each([
  'not an address',
  'http://example.com/',
  'ftp://example.com/',
  'https://user:word@example.com/',
  'https://127.0.0.1/hook',
  'https://2130706433/', // 127.0.0.1 as one number
  'https://0x7f.1/',
  'https://[::1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://169.254.169.254/latest/meta-data',
])('%s is refused, and not repeated', (text) => {
  const judge = () => webhookUrl(text, false);
  expect(judge).toThrow(/^WEBHOOK_ADDRESS_REFUSED/);
  expect(judge).not.toThrow(text);
});

test('a public https address is taken, and where private ones are allowed, these and http', () => {
  expect(webhookUrl('https://example.com/hook?x=1', false).host).toBe('example.com');
  expect(webhookUrl('http://127.0.0.1:8080/', true).port).toBe('8080');
});

const asked = (addresses: LookupAddress[], options: object, allowPrivate = false) => {
  const resolve = ((_name: string, _options: object, done: (error: null, all: LookupAddress[]) => void) =>
    done(null, addresses)) as never;
  return new Promise((answer) => {
    guardedLookup(allowPrivate, resolve)('example.com', options, (error, address, family) =>
      answer(error === null ? [address, family] : (error as { code?: string }).code),
    );
  });
};

test('a name that leads to a private address, or to one beside a public one, is refused when it is called', async () => {
  const [open, inside] = [
    { address: '8.8.8.8', family: 4 },
    { address: '10.0.0.1', family: 4 },
  ];
  expect(await asked([inside], {})).toBe('WEBHOOK_ADDRESS_REFUSED');
  expect(await asked([open, inside], { all: true })).toBe('WEBHOOK_ADDRESS_REFUSED');
  expect(await asked([], {})).toBe('WEBHOOK_ADDRESS_REFUSED');
  expect(await asked([open], {})).toEqual(['8.8.8.8', 4]);
  expect(await asked([open], { all: true })).toEqual([[open], undefined]);
  expect(await asked([inside], {}, true)).toEqual(['10.0.0.1', 4]);
});
