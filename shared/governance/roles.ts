/**
 * Owns who may do what: one table of permissions. The scopes of API keys, what accounts of the dashboard may see and change, and which job kinds a role may enqueue or
 * redrive follow from it, and so does what goes into the audit trail.
 */
import { AbilityBuilder, createMongoAbility, type MongoAbility, subject } from '@casl/ability';
import { AppError } from '../errors.ts';
import type { KeyScope } from '../store/ports/access.ts';

export const ROLES = ['viewer', 'operator', 'analyst', 'privacy-officer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a key cannot be given: it is done at the dashboard or on the command line. */
export const OWN_PERMISSIONS = ['queues:write', 'keys:write', 'accounts:write', 'store:write'] as const;
export type Permission = KeyScope | (typeof OWN_PERMISSIONS)[number];

/**
 * How an act gets into the audit trail. `each`: before anything is answered. `behind`: an entry each, written while the answer goes out. `counted`: one entry a minute for
 * all that are alike. `none`: it neither tells of people nor changes anything.
 */
export type TrailMode = 'each' | 'behind' | 'counted' | 'none';

export interface PermissionRow {
  readonly what: string;
  readonly trail: TrailMode;
  readonly roles: readonly Role[];
}

const row = (what: string, trail: TrailMode, ...roles: readonly Role[]): PermissionRow => ({ what, trail, roles });

export const PERMISSIONS = {
  'events:write': row('take in events, items, people and consents', 'counted', 'operator', 'admin'),
  'claims:write': row('hand over inputs that are too large for a job', 'counted', 'operator', 'analyst', 'admin'),
  'jobs:write': row('enqueue and cancel jobs', 'each', 'operator', 'analyst', 'privacy-officer', 'admin'),
  'jobs:read': row('look at jobs, runs and dead letters', 'none', ...ROLES),
  'jobs:redrive': row('give dead letters back to work', 'each', 'operator', 'privacy-officer', 'admin'),
  'recommendations:read': row('read what a person is recommended', 'behind', 'operator', 'privacy-officer', 'admin'),
  'segments:read': row('read the segment of a person', 'behind', 'operator', 'privacy-officer', 'admin'),
  'webhooks:write': row('say who is told of ended runs', 'each', 'operator', 'admin'),
  'releases:read': row('look at releases and models', 'none', ...ROLES),
  'releases:write': row('put releases live, hold them, roll them back', 'each', 'operator', 'admin'),
  'lineage:read': row('read what was told of runs', 'none', 'operator', 'analyst', 'privacy-officer', 'admin'),
  'pixel:write': row('count page views of web pages', 'counted', 'operator', 'admin'),
  'mobile:write': row('take in events of apps', 'counted', 'operator', 'admin'),
  'people:read': row('see what is held about a person, and reports of erasures', 'each', 'privacy-officer', 'admin'),
  'people:write': row('withdraw, erase and take back people', 'each', 'privacy-officer', 'admin'),
  'sums:give': row('give shares of a secure sum', 'counted', 'operator', 'admin'),
  'sums:run': row('open and close secure sums', 'each', 'operator', 'analyst', 'privacy-officer', 'admin'),
  'trail:read': row('read the audit trail', 'each', 'privacy-officer', 'admin'),
  'queues:write': row('pause queues and change jobs in them', 'each', 'operator', 'admin'),
  'keys:write': row('make and revoke API keys', 'each', 'admin'),
  'accounts:write': row('make, change and remove accounts', 'each', 'admin'),
  'store:write': row('back up, restore, collect and migrate the store', 'each', 'admin'),
} as const satisfies Readonly<Record<Permission, PermissionRow>>;

/** What kinds of jobs do, as far as it matters who may ask for them. `jobs/gateway/job-classes.ts` says which kind is of which class. */
export const JOB_CLASSES = {
  intake: { what: 'what comes in', roles: ['operator', 'admin'] },
  learning: {
    what: 'features, segments, models and lists that nobody is shown yet',
    roles: ['operator', 'analyst', 'admin'],
  },
  audit: {
    what: 'audits of fairness, and statistics that tell of no one person',
    roles: ['operator', 'analyst', 'privacy-officer', 'admin'],
  },
  serving: { what: 'what people are shown and asked', roles: ['operator', 'admin'] },
  people: { what: 'what people ask of their data', roles: ['privacy-officer', 'admin'] },
  upkeep: { what: 'formats of the store, and telling others of ended runs', roles: ['operator', 'admin'] },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly roles: readonly Role[] }>>;
export type JobClass = keyof typeof JOB_CLASSES;

/** Whoever acts: an account by its role; an API key by its role, or by scopes that were picked. */
export interface Holder {
  readonly role?: Role | undefined;
  readonly scopes?: readonly Permission[];
}

const ruleOf = (permission: string): { action: string; subject: string } => {
  const [subject = '', action = ''] = permission.split(':');
  return { action, subject };
};

/** A key by scopes may have any class of job done but `people`, for which it needs the scope as well. */
const classesOf = ({ role, scopes = [] }: Holder): JobClass[] =>
  (Object.keys(JOB_CLASSES) as JobClass[]).filter((name) =>
    role === undefined
      ? name !== 'people' || scopes.includes('people:write')
      : (JOB_CLASSES[name].roles as readonly Role[]).includes(role),
  );

/** The permissions of a role, or those that were picked. */
export const permissionsOf = ({ role, scopes = [] }: Holder): readonly Permission[] =>
  role === undefined
    ? scopes
    : (Object.keys(PERMISSIONS) as Permission[]).filter((one) => rowOf(one).roles.includes(role));

export const rowOf = (permission: Permission): PermissionRow =>
  (PERMISSIONS as Readonly<Record<Permission, PermissionRow>>)[permission];

/** The class of a job travels with it as a condition. */
const JOB = 'job';
const abilities = new WeakMap<Holder, MongoAbility>();

function abilityOf(holder: Holder): MongoAbility {
  const known = abilities.get(holder);
  if (known !== undefined) return known;
  const { can, build } = new AbilityBuilder<MongoAbility>(createMongoAbility);
  for (const permission of permissionsOf(holder)) {
    const { action, subject: noun } = ruleOf(permission);
    can(action, noun);
  }
  can('run', JOB, { class: { $in: classesOf(holder) } });
  const made = build();
  abilities.set(holder, made);
  return made;
}

export function may(holder: Holder, permission: Permission): boolean {
  const { action, subject: noun } = ruleOf(permission);
  return abilityOf(holder).can(action, noun);
}

/** Whether jobs of a class may be enqueued, cancelled or redriven, by who may do so at all. */
export const mayRun = (holder: Holder, jobClass: JobClass): boolean =>
  abilityOf(holder).can('run', subject(JOB, { class: jobClass }));

/** Throws AUTH_ROLE_MISSING that says who may. */
export function permit(holder: Holder, permission: Permission): void {
  if (may(holder, permission)) return;
  const { what, roles } = rowOf(permission);
  throw refused(holder, what, roles, permission);
}

/** Throws AUTH_ROLE_MISSING that says who may. */
export function permitRun(holder: Holder, jobClass: JobClass): void {
  if (mayRun(holder, jobClass)) return;
  const { what, roles } = JOB_CLASSES[jobClass];
  throw refused(holder, `run jobs for ${what}`, roles, jobClass);
}

function refused({ role }: Holder, what: string, roles: readonly Role[], needed: string): AppError {
  const who = role === undefined ? 'This key' : `The role ${role}`;
  return new AppError('AUTH_ROLE_MISSING', { message: `${who} may not ${what}.`, details: { needed, roles } });
}
