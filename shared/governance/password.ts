/**
 * Owns passwords of dashboard accounts: argon2id in PHC string format, and passwords made for people to type.
 * Parameters follow RFC 9106 and OWASP's advice for interactive logins (19 MiB, 2 passes, 1 lane): ~60 ms a try.
 */
import { argon2, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Bounds on what a stored hash may ask of this machine. */
const MEMORY_KIB_MAX = 1_048_576;
const PASSES_MAX = 16;
const LANES_MAX = 16;

export const PASSWORD_LENGTH_MIN = 12;
/** Longer input is refused before hashing. */
export const PASSWORD_LENGTH_MAX = 200;

/** No letters or digits that people mistake for one another (0 o, 1 l i). */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';
const GROUPS = 5;
const GROUP_LENGTH = 3;

interface Parameters {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

function derive(password: string, salt: Buffer, { memoryKib, passes, lanes }: Parameters, tagBytes: number) {
  return new Promise<Buffer>((resolve, reject) => {
    argon2(
      'argon2id',
      { message: password, nonce: salt, parallelism: lanes, tagLength: tagBytes, memory: memoryKib, passes },
      (error, tag) => (error === null ? resolve(tag) : reject(error)),
    );
  });
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

/** The PHC string `$argon2id$v=19$m=..,t=..,p=..$salt$tag` of a password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const tag = await derive(password, salt, { memoryKib: MEMORY_KIB, passes: PASSES, lanes: LANES }, TAG_BYTES);
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${unpadded(salt)}$${unpadded(tag)}`;
}

const PHC = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** True when the password made the hash; a string that is not a PHC hash within bounds is never matched. Constant time in the tag. */
export async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const [, m, t, p, salt, tag] = PHC.exec(phc) ?? [];
  if (salt === undefined || tag === undefined || password.length > PASSWORD_LENGTH_MAX) return false;
  const parameters = { memoryKib: Number(m), passes: Number(t), lanes: Number(p) };
  if (parameters.memoryKib > MEMORY_KIB_MAX || parameters.passes > PASSES_MAX || parameters.lanes > LANES_MAX)
    return false;
  const expected = Buffer.from(tag, 'base64');
  return timingSafeEqual(await derive(password, Buffer.from(salt, 'base64'), parameters, expected.length), expected);
}

/** A readable random password such as `7kq-m3x-9fh-2tw-c8r` (74 bits). */
export function generatePassword(): string {
  const group = (): string => Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}
