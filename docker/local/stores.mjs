// @ts-check
/** Owns the two stores of one run: found or started together, watched, and stopped in the right order. */
import { join } from 'node:path';
import { givenMongo, mongoStarter } from './mongodb.mjs';
import { givenRedis, redisProgram, startRedis } from './redis.mjs';

/** @typedef {import('./redis.mjs').RunningStore} RunningStore */
/** @typedef {import('./progress.mjs').Step} Step */

/**
 * @typedef {object} Stores
 * @property {RunningStore} redis
 * @property {RunningStore} mongodb
 * @property {() => Promise<void>} stop stops what was started here, the database's front before its back
 * @property {Promise<string>} lost resolves with the name of a server that ended unasked
 */

/**
 * Starts what is not given by REDIS_URL and MONGODB_URL. When one half fails the other is stopped again.
 * @param {object} options
 * @param {string} options.folder where their data lives
 * @param {boolean} options.durable
 * @param {(service: 'redis' | 'mongodb') => Promise<number>} options.portOf
 * @param {{redis: Step, mongodb: Step}} options.steps
 * @param {NodeJS.ProcessEnv} [options.env]
 * @returns {Promise<Stores>}
 */
export async function openStores({ folder, durable, portOf, steps, env = process.env }) {
  /** @type {RunningStore[]} */
  const opened = [];
  let stopping = false;
  const stop = async () => {
    stopping = true;
    for (const store of opened) for (const service of store.services) await service.stop();
  };
  try {
    const redis = (await givenRedis(env)) ?? (await openRedis());
    opened.unshift(redis);
    steps.redis.done(`${redis.version.padEnd(13)}${redis.engine}`);
    const mongodb = (await givenMongo(env)) ?? (await openMongo());
    opened.unshift(mongodb);
    steps.mongodb.done(`${mongodb.version.padEnd(13)}${mongodb.engine}`);
    const services = opened.flatMap((store) => store.services);
    const lost = new Promise((/** @type {(name: string) => void} */ resolve) => {
      const watch = async (/** @type {import('./processes.mjs').Service} */ service) => {
        await service.ended;
        if (!stopping) resolve(`${service.name} (its log: ${service.log})`);
      };
      for (const service of services) void watch(service);
    });
    return { redis, mongodb, stop, lost };
  } catch (error) {
    await stop();
    throw error;
  }

  async function openRedis() {
    const program = await redisProgram(steps.redis, env);
    return startRedis({ program, port: await portOf('redis'), folder: join(folder, 'redis'), durable });
  }

  async function openMongo() {
    const start = await mongoStarter(steps.mongodb, env);
    return start({ port: await portOf('mongodb'), folder: join(folder, 'documentdb'), durable });
  }
}
