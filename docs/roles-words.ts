/** Owns the words of docs/roles.md around the generated tables. */

export const ROLES_HEAD: readonly string[] = [
  'Who may do what follows from one table, `shared/governance/roles.ts`: what accounts of the dashboard see and change, what API keys may do, and who may enqueue, cancel and',
  'redrive which kind of jobs. A test holds every route of gateway and dashboard against it; a route or kind without a row fails.',
  '',
  '`npx millrace account create NAME --role ROLE` makes an account; a changed role holds from the next request on. An API key is made with `--role ROLE`, or with single permissions as',
  'scopes: `npx millrace key create --scope SCOPE...`. A key can have all of them but `queues:write`, `keys:write`, `accounts:write` and `store:write`, and may expire (`--expires TIME`;',
  '`AUTH_KEY_EXPIRED` from then on). What a role does not permit is `AUTH_ROLE_MISSING`, what a key does not, `AUTH_SCOPE_MISSING`. Whoever runs commands on a machine that holds the',
  'keys of the deployment may do everything there; the [audit trail](privacy.md#audit-trail) names them.',
  '',
  'Trail: how an act gets into it (`each` before the answer, `behind` it, `counted`, or not).',
];

export const CLASSES_HEAD: readonly string[] = [
  'With `jobs:write` a role may enqueue and cancel, with `jobs:redrive` give back to work, jobs of the classes that it may run. A key with scopes may run all but those of people, for which',
  'it needs `people:write` as well. On the board of queues nobody retries jobs of people: that is done on the page of dead letters.',
];
