/** Facts about passwords: what matches, what never does, and how generated ones read. */
import { describe, expect, it } from 'vitest';
import {
  generatePassword,
  hashPassword,
  PASSWORD_LENGTH_MAX,
  PASSWORD_LENGTH_MIN,
  verifyPassword,
} from './password.ts';

describe('passwords', () => {
  it('match the hash they made and no other', async () => {
    const phc = await hashPassword('correct horse');
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await verifyPassword('correct horse', phc)).toBe(true);
    expect(await verifyPassword('correct horsf', phc)).toBe(false);
    expect(await verifyPassword('', phc)).toBe(false);
  });

  it('hash differently every time, because each hash has its own salt', async () => {
    expect(await hashPassword('same')).not.toBe(await hashPassword('same'));
  });

  it('agree with the test vector of the reference implementation (phc-winner-argon2, src/test.c)', async () => {
    const phc = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    expect(await verifyPassword('password', phc)).toBe(true);
  });

  it.each([
    ['', 'an empty string'],
    ['admin', 'a password in the clear'],
    ['$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', 'another algorithm'],
    [
      '$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQxMjM0$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
      'too much memory',
    ],
    ['$argon2id$v=19$m=64,t=99,p=1$c29tZXNhbHQxMjM0$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', 'too many passes'],
  ])('never match %j (%s)', async (stored) => {
    expect(await verifyPassword('admin', stored)).toBe(false);
  });

  it('beyond the length limit are refused without hashing', async () => {
    const long = 'x'.repeat(PASSWORD_LENGTH_MAX + 1);
    expect(await verifyPassword(long, await hashPassword(long))).toBe(false);
  });

  it('are generated readable, long enough and distinct', () => {
    const made = Array.from({ length: 200 }, generatePassword);
    expect(new Set(made).size).toBe(200);
    for (const password of made) {
      expect(password).toMatch(/^[2-9a-hj-km-np-z]{3}(-[2-9a-hj-km-np-z]{3}){4}$/);
      expect(password.length).toBeGreaterThanOrEqual(PASSWORD_LENGTH_MIN);
    }
  });
});
