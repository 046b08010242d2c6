// @ts-check
/**
 * Owns the two smallest questions to a server: does Redis answer PING, does MongoDB answer a command.
 *
 * Set-up asks them before any package is installed, so both protocols are spoken by hand: RESP's inline
 * form, and MongoDB's OP_MSG (opcode 2013) with the few BSON types that `ping` and `buildInfo` need.
 */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from './setup-error.mjs';

const ANSWER_MS_MAX = 4_000;
const RETRY_MS = 40;
const OP_MSG = 2013;

/** @typedef {string | number | boolean} Scalar */

/**
 * Sends bytes and collects the answer until `complete` gives a value.
 * @template T
 * @param {{host: string, port: number, tls?: {ca?: Buffer, cert?: Buffer, key?: Buffer}}} address
 * @param {Buffer} request
 * @param {(received: Buffer) => T | undefined} complete
 * @returns {Promise<T>}
 */
function ask({ host, port, tls }, request, complete) {
  return new Promise((resolve, reject) => {
    const socket = tls
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...tls })
      : connectTcp({ host, port });
    let received = Buffer.alloc(0);
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error(`no answer within ${ANSWER_MS_MAX / 1000} s`)));
    socket.once(tls ? 'secureConnect' : 'connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      try {
        const value = complete(received);
        if (value === undefined) return;
        resolve(value);
        socket.destroy();
      } catch (error) {
        socket.destroy(/** @type {Error} */ (error));
      }
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the server closed the connection')));
  });
}

/**
 * Asks Redis for its version; throws what it says when it does not answer, refuses the password, or is still loading.
 * @param {string} url redis:// or rediss://, with the password in it where there is one
 * @param {NodeJS.ProcessEnv} [env] names the files of certificates
 * @returns {Promise<string>}
 */
export async function redisVersion(url, env = process.env) {
  const { protocol, hostname, port, username, password } = new URL(url);
  const login = password
    ? `AUTH ${username ? `${decodeURIComponent(username)} ` : ''}${decodeURIComponent(password)}\r\n`
    : '';
  const address = {
    host: hostname,
    port: Number(port || 6379),
    ...(protocol === 'rediss:' ? { tls: certificates(env) } : {}),
  };
  return ask(address, Buffer.from(`${login}INFO server\r\n`), (received) => {
    const text = received.toString('utf8');
    const failure = /^-(.+)$/m.exec(text);
    if (failure) throw new Error(failure[1]?.trim());
    const version = /^(?:valkey_version|redis_version):(.+)\r$/m.exec(text);
    return version?.[1];
  });
}

/** @param {NodeJS.ProcessEnv} env */
function certificates(env) {
  const { MILLRACE_REDIS_CA_FILE: ca, MILLRACE_REDIS_CERT_FILE: cert, MILLRACE_REDIS_KEY_FILE: key } = env;
  return {
    ...(ca ? { ca: readFileSync(ca) } : {}),
    ...(cert && key ? { cert: readFileSync(cert), key: readFileSync(key) } : {}),
  };
}

/**
 * Runs one command of MongoDB without arguments and gives the top level of its answer.
 * @param {{host: string, port: number}} address
 * @param {string} command
 * @returns {Promise<Record<string, Scalar>>}
 */
export async function mongoCommand(address, command) {
  return ask(address, opMessage({ [command]: 1, $db: 'admin' }), (received) => {
    if (received.length < 4 || received.length < received.readInt32LE(0)) return undefined;
    if (received.readInt32LE(12) !== OP_MSG || received[20] !== 0) throw new Error('the answer is not from a MongoDB');
    const answer = decodeTopLevel(received.subarray(21));
    if (answer.ok !== 1) throw new Error(String(answer.errmsg ?? 'the command failed'));
    return answer;
  });
}

/**
 * @param {Record<string, string | number>} fields
 * @returns {Buffer}
 */
function opMessage(fields) {
  const parts = Object.entries(fields).map(([name, value]) => {
    const key = Buffer.from(`${name}\0`);
    if (typeof value === 'number') return Buffer.concat([Buffer.from([0x10]), key, int32(value)]);
    const text = Buffer.from(`${value}\0`);
    return Buffer.concat([Buffer.from([0x02]), key, int32(text.length), text]);
  });
  const body = Buffer.concat([...parts, Buffer.from([0])]);
  const document = Buffer.concat([int32(body.length + 4), body]);
  const message = Buffer.concat([int32(1), int32(0), int32(OP_MSG), int32(0), Buffer.from([0]), document]);
  return Buffer.concat([int32(message.length + 4), message]);
}

/** @param {number} value */
function int32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** The length of a BSON value whose length is fixed, by its type (bsonspec.org, version 1.1). */
const FIXED_BYTES = new Map([
  [0x01, 8],
  [0x06, 0],
  [0x07, 12],
  [0x08, 1],
  [0x09, 8],
  [0x0a, 0],
  [0x10, 4],
  [0x11, 8],
  [0x12, 8],
  [0x13, 16],
]);

/**
 * Numbers, strings and booleans of the top level; anything else is skipped.
 * @param {Buffer} bson
 * @returns {Record<string, Scalar>}
 */
function decodeTopLevel(bson) {
  /** @type {Record<string, Scalar>} */
  const found = {};
  let at = 4;
  while (at < bson.length && bson[at] !== 0) {
    const type = /** @type {number} */ (bson[at]);
    const nameEnd = bson.indexOf(0, at + 1);
    const name = bson.toString('utf8', at + 1, nameEnd);
    at = nameEnd + 1;
    if (type === 0x01) found[name] = bson.readDoubleLE(at);
    if (type === 0x02) found[name] = bson.toString('utf8', at + 4, at + 3 + bson.readInt32LE(at));
    if (type === 0x08) found[name] = bson[at] === 1;
    if (type === 0x10) found[name] = bson.readInt32LE(at);
    at += valueBytes(bson, type, at);
  }
  return found;
}

/**
 * @param {Buffer} bson
 * @param {number} type
 * @param {number} at
 */
function valueBytes(bson, type, at) {
  const fixed = FIXED_BYTES.get(type);
  if (fixed !== undefined) return fixed;
  const length = bson.readInt32LE(at);
  if (type === 0x03 || type === 0x04) return length;
  if (type === 0x02) return length + 4;
  if (type === 0x05) return length + 5;
  throw new Error(`an unknown BSON type ${type} in the answer`);
}

/**
 * Repeats a question until it is answered, the server has ended, or the time is over.
 * @template T
 * @param {() => Promise<T>} question
 * @param {{timeoutMs: number, hasEnded?: () => boolean}} limits
 * @returns {Promise<T>}
 */
export async function untilAnswered(question, { timeoutMs, hasEnded = () => false }) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await question();
    } catch (error) {
      const over = hasEnded();
      if (over || Date.now() > deadline) {
        throw new Error(over ? 'the server ended at once' : messageOf(error), { cause: error });
      }
      await pause(RETRY_MS);
    }
  }
}
