/** Owns what commands write to the audit trail: which permission each of them uses, and who is said to have used it. Whoever can run commands holds the keys, so nothing is refused here. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { Redis } from 'ioredis';
import { redisTls } from '../../shared/contract-kit/tls.ts';
import { toAppError } from '../../shared/errors.ts';
import type { Permission } from '../../shared/governance/roles.ts';
import { keepTrailHead } from '../../shared/governance/trail-heads.ts';
import type { SignedTrailHead, TrailNote } from '../../shared/store/ports.ts';
import type { Session } from './session.ts';

/** By the words of the command; `null`: it neither tells of people nor changes anything that others share. */
export const COMMAND_PERMISSIONS: Readonly<Record<string, Permission | null>> = {
  up: null,
  doctor: null,
  'import movielens': 'events:write',
  'import activitystreams': 'events:write',
  'import events': 'events:write',
  'import log': 'events:write',
  'import items': 'events:write',
  'import people': 'events:write',
  'source list': null,
  'source map': 'events:write',
  'source scales': null,
  'quality list': 'people:read',
  'quality release': 'people:write',
  'quality report': null,
  'quarantine list': null,
  'quarantine release': 'events:write',
  enqueue: 'jobs:write',
  run: 'jobs:write',
  backfill: 'jobs:write',
  tune: 'jobs:write',
  'models list': null,
  'models show': null,
  'models card': null,
  'models export': null,
  'models promote': 'releases:write',
  'models rollback': 'releases:write',
  cancel: 'jobs:write',
  'release list': null,
  'release show': null,
  'release rollback': 'releases:write',
  'release promote': 'releases:write',
  'release hold': 'releases:write',
  'release unhold': 'releases:write',
  status: null,
  recommend: 'recommendations:read',
  prompt: 'recommendations:read',
  effects: 'recommendations:read',
  link: 'people:write',
  unlink: 'people:write',
  trace: 'people:read',
  'lineage export': null,
  'features list': null,
  'features show': 'people:read',
  'features join': 'people:read',
  'features skew': null,
  'person show': 'people:read',
  'person erase': 'people:write',
  'person withdraw': 'people:write',
  'person readmit': 'people:write',
  'person consents': 'people:read',
  'person consent': 'people:write',
  'person receipts': 'people:read',
  'person report': 'people:read',
  'person reports': 'people:read',
  'organisation show': null,
  'organisation set': 'people:write',
  'budget show': null,
  'budget set': 'people:write',
  'question declare': 'people:write',
  'question list': null,
  'statistics of': 'jobs:write',
  'statistics answers': 'jobs:write',
  evaluate: null,
  export: 'people:read',
  limit: 'queues:write',
  'dead-letters list': null,
  'dead-letters show': null,
  'dead-letters redrive': 'jobs:redrive',
  'webhook create': 'webhooks:write',
  'webhook list': null,
  'webhook remove': 'webhooks:write',
  'key create': 'keys:write',
  'key list': null,
  'key revoke': 'keys:write',
  backup: 'store:write',
  restore: 'store:write',
  collect: 'store:write',
  'keys status': null,
  'keys rotate': 'store:write',
  'keys forget-seals': 'store:write',
  'migrate status': null,
  'migrate enable': 'store:write',
  'migrate run': 'store:write',
  'password reset': 'accounts:write',
  'account create': 'accounts:write',
  'account list': null,
  'account change': 'accounts:write',
  'account remove': 'accounts:write',
  'schedules list': null,
  'schedules set': 'jobs:write',
  'schedules remove': 'jobs:write',
  'trail list': 'trail:read',
  'trail verify': null,
  'trail head': null,
};

/** Without an entry they tell nothing; the others work also where only Redis answers. */
const TELLS_OF_PEOPLE: ReadonlySet<Permission> = new Set<Permission>([
  'people:read',
  'people:write',
  'recommendations:read',
  'trail:read',
]);

/** `person show`. */
export function wordsOf(command: Command): string {
  const words: string[] = [];
  for (let one: Command | null = command; one?.parent != null; one = one.parent) words.unshift(one.name());
  return words.join(' ');
}

function machineUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`; // a container without an entry for it
  }
}

async function noteOf(
  command: Command,
  act: Permission,
  { store, config }: Session,
  outcome: string,
): Promise<TrailNote> {
  const { people } = await store();
  const place = command.registeredArguments.findIndex((argument) => ['user', 'account'].includes(argument.name()));
  const user = place < 0 ? undefined : command.args[place];
  return {
    actor: { kind: 'command', id: machineUser() },
    act,
    object: `millrace ${wordsOf(command)}`,
    ...(user !== undefined && { subject: people.keys(config.tenant, [user])[0]! }),
    outcome,
    at: Date.now(),
  };
}

/** Where Redis does not answer, the next process that writes to the trail makes up for it. */
async function keep({ config }: Session, head: SignedTrailHead): Promise<void> {
  const redis = new Redis(config.redisUrl, {
    ...redisTls(config.redisUrl, config.redisTls),
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    lazyConnect: true,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
    await keepTrailHead(redis, config.prefix, head);
  } catch {
    return;
  } finally {
    redis.disconnect();
  }
}

/** Carries a command out with its entries in the trail: what tells of people has its own before it tells anything, and a failure has one besides. */
export async function audited(command: Command, session: Session, act: () => Promise<void>): Promise<void> {
  const permission = COMMAND_PERMISSIONS[wordsOf(command)] ?? null;
  if (permission === null) return act();
  const tell = async (outcome: string): Promise<void> => {
    const { trail } = await session.store();
    const heads: SignedTrailHead[] = [];
    trail.onHead((head) => heads.push(head));
    await trail.note(session.config.tenant, [await noteOf(command, permission, session, outcome)]);
    for (const head of heads) await keep(session, head);
  };
  const tellIfPossible = (outcome: string): Promise<void> =>
    tell(outcome).catch(() => session.output.note('This is not in the audit trail: the store does not answer.'));
  const isStrict = TELLS_OF_PEOPLE.has(permission);
  if (isStrict) await tell('allowed');
  try {
    await act();
  } catch (thrown) {
    const { code } = toAppError(thrown);
    if (code !== 'SERVICE_UNAVAILABLE') await tellIfPossible(code);
    throw thrown;
  }
  if (!isStrict) await tellIfPossible('allowed');
}
