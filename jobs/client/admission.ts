/**
 * Owns what is decided in Redis when a job is added: whether its tenant may have one more, how fast it may ask, and where the
 * job stands in the queue. All of it is decided in the script that adds the job, so that neither a race nor a round trip
 * lies between the question and the answer. BullMQ's own script does the adding, as a function of ours: one call for many jobs.
 *
 * Fields of the hash `backlogKey`
 *   jobs:TENANT          unfinished jobs; raised here, lowered in batches by workers, counted again by the sweeper
 *   drain:TENANT         jobs a second that end, smoothed, and the moment of the last batch, ms since 1970
 *   limited              there once a limit was set: only then are the following read
 *   max:TENANT           most unfinished jobs; `max:*` for tenants without one; else the contract's
 *   rate:TENANT[/SOURCE] "perSecond burst"; `rate:*[/SOURCE]` for tenants without one; none: no limit
 *   tat:TENANT[/SOURCE]  theoretical arrival time of the next job, ms since 1970 (GCRA, ITU-T I.371)
 *
 * Fairness without groups: priority = class * 2^18 + min(unfinished jobs of the tenant, 2^18 - 1) + 1.
 */
import { RedisConnection } from 'bullmq';
import { PRIORITY_CLASS_SPAN } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';

/** Waits that are told to callers lie between these, ms. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 60_000;

/**
 * KEYS: BullMQ's of the queue, the hash, then the key of each job. ARGV: tenant, most unfinished jobs (0: never refused), source or
 * empty, then BullMQ's three arguments of each job. Answers with a text for each job: empty, or why it is not in. A job that is
 * there already is neither counted nor refused. Limits are read only where some were set.
 */
const admitting = (add: string, queueKeys: number): string => `
local existed
local function add(KEYS, ARGV, rank)
${add}
end
local hash, tenant, bound, source = KEYS[${queueKeys + 1}], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local said = redis.call('HMGET', hash, 'jobs:' .. tenant, 'limited')
local before = tonumber(said[1]) or 0
local jobs, max, rates = before, bound, {}
if bound > 0 and said[2] then
  local bucket = source == '' and tenant or (tenant .. '/' .. source)
  local set = redis.call('HMGET', hash, 'max:' .. tenant, 'max:*', 'rate:' .. tenant, 'rate:*', 'rate:' .. bucket,
    'rate:*/' .. source)
  max = tonumber(set[1]) or tonumber(set[2]) or bound
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
  local function limit(name, text)
    local rate, burst = string.match(text or '', '^([%d.]+) (%d+)$')
    if not rate then return end
    local tat = math.max(now, tonumber(redis.call('HGET', hash, 'tat:' .. name)) or 0)
    rates[#rates + 1] = {field = 'tat:' .. name, words = rate .. ' ' .. burst, tat = tat, now = now,
      interval = 1000 / tonumber(rate), slack = (tonumber(burst) - 1) * 1000 / tonumber(rate)}
  end
  limit(tenant, set[3] or set[4])
  if bucket ~= tenant then limit(bucket, set[5] or set[6]) end
end
local function refusal()
  if bound > 0 and jobs >= max then
    local drain = tonumber(string.match(redis.call('HGET', hash, 'drain:' .. tenant) or '', '^[^ ]+')) or 0
    local wait = drain > 0 and 1000 * (jobs - 0.9 * max) / drain or 1000
    wait = math.floor(math.max(${RETRY_MS_MIN}, math.min(${RETRY_MS_MAX}, wait)))
    return 'LIMIT_QUEUE_FULL ' .. jobs .. ' ' .. max .. ' ' .. wait
  end
  for _, rate in ipairs(rates) do
    local wait = rate.tat - rate.now - rate.slack
    if wait > 0.0005 then return 'LIMIT_RATE ' .. rate.words .. ' ' .. math.ceil(wait) end
  end
  for _, rate in ipairs(rates) do rate.tat = rate.tat + rate.interval end
  return ''
end
local keys = {unpack(KEYS, 1, ${queueKeys})}
local answers = {}
for job = 1, #KEYS - ${queueKeys + 1} do
  local refused = ''
  local isBounded = bound > 0 and (jobs >= max or #rates > 0)
  if isBounded and redis.call('EXISTS', KEYS[${queueKeys + 1} + job]) == 0 then refused = refusal() end
  if refused == '' then
    existed = false
    add(keys, {ARGV[3 * job + 1], ARGV[3 * job + 2], ARGV[3 * job + 3]}, math.min(jobs, ${PRIORITY_CLASS_SPAN - 1}))
    if not existed then jobs = jobs + 1 end
  end
  answers[job] = refused
end
if jobs > before then redis.call('HINCRBY', hash, 'jobs:' .. tenant, jobs - before) end
for _, rate in ipairs(rates) do redis.call('HSET', hash, rate.field, string.format('%.3f', rate.tat)) end
return answers`;

/** Where BullMQ's scripts read a job's options, and how the rank gets into them there. */
const OPTIONS = 'local opts = cmsgpack.unpack(ARGV[3])';
const RANKED_OPTIONS = `${OPTIONS}\nopts.priority = (opts.priority or 0) + rank`;

/** Where they find that a job is there already, and how that is told. */
const FOUND = 'if rcall("EXISTS", jobIdKey) == 1 then';
const TOLD = `${FOUND}\nexisted = true`;
/** A number for jobs that come without an id: ours never do, and it is a command of each. */
const NUMBER = 'local jobCounter = rcall("INCR", idKey)';

/** BullMQ's scripts that become functions of ours. */
const ADDING = ['addPrioritizedJob', 'addDelayedJob'] as const;
export type Adding = (typeof ADDING)[number];

interface Script {
  readonly numberOfKeys: number;
  readonly lua: string;
}

/** BullMQ's own texts, as it would load them into a connection. */
class LoadedScripts extends RedisConnection {
  static texts(): ReadonlyMap<string, Script> {
    const texts = new Map<string, Script>();
    const client = { defineCommand: (name: string, script: Script) => texts.set(name.split(':')[0] ?? name, script) };
    LoadedScripts.prototype.loadCommands.call({ _client: client } as never, '');
    return texts;
  }
}

let made: ReadonlyMap<Adding, Script> | undefined;

/** The admitting scripts; `numberOfKeys` is that of BullMQ's keys alone. */
export function admittingScripts(): ReadonlyMap<Adding, Script> {
  if (made !== undefined) return made;
  const texts = LoadedScripts.texts();
  const scripts = new Map<Adding, Script>();
  for (const name of ADDING) {
    const text = texts.get(name);
    if (text === undefined || ![OPTIONS, FOUND, NUMBER].every((part) => text.lua.includes(part)))
      throw new AppError('CONFIG_INVALID', {
        message: `The installed BullMQ has no script ${name} as this client knows it.`,
        details: { problems: ['bullmq'] },
      });
    const { numberOfKeys } = text;
    const add = text.lua.replace(OPTIONS, RANKED_OPTIONS).replace(FOUND, TOLD).replace(NUMBER, 'local jobCounter = 0');
    scripts.set(name, { numberOfKeys, lua: admitting(add, numberOfKeys) });
  }
  made = scripts;
  return scripts;
}

/** The coded error of a refusal; undefined for an empty one. */
export function refusalOf(
  answer: string,
  about: { readonly kind: string; readonly tenant: string },
): AppError | undefined {
  const [code, first, second, wait] = answer.split(' ');
  const retryAfterMs = Number(wait);
  if (code === 'LIMIT_QUEUE_FULL')
    return new AppError(code, {
      details: { ...about, backlog: Number(first), backlogMax: Number(second), retryAfterMs },
    });
  if (code === 'LIMIT_RATE')
    return new AppError(code, { details: { ...about, perSecond: Number(first), burst: Number(second), retryAfterMs } });
  return undefined;
}
