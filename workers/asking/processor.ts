/**
 * Owns asking: whom to ask for feedback, about which item, after which act. Consent is read when the job runs and again at its commit; limits
 * and the wish not to be asked are read with it, and once more whenever a service asks for a prompt.
 */
import { ASKED_AFTER, asking } from '../../jobs/asking/contract.ts';
import { type AskingLimits, isAskedLately } from '../../jobs/asking/limits.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { Prompt, PromptMarks } from '../../shared/store/ports.ts';
import { admitFor, type LoadedEvents, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import { ASKED, LEFT_ALONE, type Moments, type MomentsRequest, NOBODY } from './moments.task.ts';
import { PROMPT_RULES, PROMPT_RULES_VERSION } from './rules.ts';

const TASKS = new URL('./moments.task.ts', import.meta.url).href;
const HOUR_MS = 3600_000;

type Input = ContractParsed<typeof asking>;
interface Loaded extends LoadedEvents {
  readonly input: Input;
  readonly asOf: number;
  readonly marks: ReadonlyMap<string, PromptMarks>;
}
interface Computed {
  readonly input: Input;
  readonly asOf: number;
  readonly prompts: readonly Prompt[];
  readonly users: number;
  readonly leftAlone: Readonly<Record<(typeof LEFT_ALONE)[number], number>>;
}

const keyAt = (keys: Uint8Array, n: number): Uint8Array => keys.slice(n * KEY_BYTES, (n + 1) * KEY_BYTES);

async function load(input: Input, context: RunContext): Promise<Loaded> {
  const events = await loadEvents(input.dataset, 'recommendation', context);
  const asOf = input.asOf ?? events.dataset.asOf;
  return { ...events, input, asOf, marks: await context.store.prompts.marks(context.tenant) };
}

/** By person: why they must not be asked, whatever they did. */
function barredOf({ marks, input, asOf }: Loaded, { runs }: AdmittedEvents): Uint8Array {
  const barred = new Uint8Array(new SharedArrayBuffer(runs.subjects)).fill(ASKED);
  for (let s = 0; s < runs.subjects; s++) {
    const mark = marks.get(hexOf(keyAt(runs.keys, s)));
    if (mark === undefined) continue;
    if (mark.optedOut !== undefined) barred[s] = LEFT_ALONE.indexOf('optedOut');
    else if (isAskedLately(input, mark.shown, asOf)) barred[s] = LEFT_ALONE.indexOf('askedLately');
  }
  return barred;
}

function requestOf(loaded: Loaded, events: AdmittedEvents): MomentsRequest {
  const { input, asOf } = loaded;
  const weight = new Float32Array(EVENT_TYPES.length);
  const from = new Float32Array(EVENT_TYPES.length).fill(Number.NEGATIVE_INFINITY);
  for (const type of input.after) {
    const rule = PROMPT_RULES[type];
    weight[EVENT_TYPES.indexOf(type)] = rule.weight;
    if (rule.from !== undefined) from[EVENT_TYPES.indexOf(type)] = rule.from;
  }
  const barred = barredOf(loaded, events);
  return { events, asOf, freshMs: input.freshHours * HOUR_MS, actsMin: input.actsMin, weight, from, barred };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const { input, asOf } = loaded;
  const events = await admitFor('recommendation', loaded, context);
  const task = { module: TASKS, name: 'pickMoments', payload: requestOf(loaded, events) };
  const [moments] = await context.pool.runPhase<Moments>([task], context.signal);
  const { fate, row } = moments!;
  const prompts: Prompt[] = [];
  const alone = new Uint32Array(LEFT_ALONE.length);
  let users = 0;
  for (let s = 0; s < fate.length; s++) {
    if (fate[s] === NOBODY) continue;
    users += 1;
    if (fate[s] !== ASKED) alone[fate[s]!]! += 1;
    else prompts.push(promptOf(loaded, events, s, row[s]!));
  }
  const leftAlone = Object.fromEntries(LEFT_ALONE.map((why, n) => [why, alone[n]!])) as Computed['leftAlone'];
  return { input, asOf, prompts, users, leftAlone };
}

function promptOf({ input }: Loaded, { columns, runs }: AdmittedEvents, s: number, row: number): Prompt {
  const after = EVENT_TYPES[columns.type[row]!] as (typeof ASKED_AFTER)[number];
  const at = columns.occurredAt[row]!;
  return {
    subject: keyAt(runs.keys, s),
    item: keyAt(columns.item, row),
    ask: PROMPT_RULES[after].ask,
    after,
    at,
    until: at + input.freshHours * HOUR_MS,
  };
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof asking>> {
  const { store, tenant, runKey, fence, consentEpoch, codeVersion } = context;
  const { input, asOf, prompts, users, leftAlone } = computed;
  const { dataset, perPersonMax, withinDays, pauseHours } = input;
  // Whom to ask lies in the served documents alone, so that dropping a person there drops the person.
  const draft = await store.versions.draft(tenant, runKey, fence, prompts.length, []);
  const limits = { perPersonMax, withinDays, pauseHours };
  const { version } = await store.versions.write({
    ...draft,
    tenant,
    kind: 'prompts',
    runKey,
    fence,
    asOf,
    consentEpoch,
    inputs: [dataset],
    codeVersion,
    meta: { rules: PROMPT_RULES_VERSION, limits, after: input.after, users, leftAlone },
  });
  await store.prompts.write(tenant, version, prompts);
  const output = { version, users, prompts: prompts.length, leftAlone, consentEpoch };
  return { output, version, plan: { asOf, limits }, lineage: { inputs: [dataset], engine: 'js', threads: 1 } };
}

interface Plan {
  readonly asOf: number;
  readonly limits: AskingLimits;
}

export default defineProcessor({
  contract: asking,
  load,
  compute,
  write,
  withdraw: ({ output }, subjects, { store, tenant }) => store.prompts.drop(tenant, output.version, subjects),
  async follow({ tenant, version, plan, output, createdAt: madeAt }, { store }) {
    const { asOf, limits } = plan as Plan;
    await store.prompts.publish(tenant, { version: version!, asOf, madeAt, limits });
    return output as never;
  },
});
