/**
 * Owns private statistics: from rows that may be read for measurement to figures that tell of no one person. What goes out under noise is drawn once a
 * release: cost and answer are recorded together, right after consent was looked at again, and every later attempt gives what was recorded.
 */
import { privateStatistics } from '../../jobs/private-statistics/contract.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import { admitEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { numberOf, rational } from '../../shared/governance/differential-privacy/rational.ts';
import type { NoisyRelease, RunLineage } from '../../shared/store/ports.ts';
import { allowsFor, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import { type AnswersInput, type Asked, queryOf, type StatisticInput, type Told } from './asked.ts';
import { estimated } from './answers.ts';
import { tellCohorts } from './cohort-release.ts';
import { groupsOf } from './groups.ts';
import { noisesOf, sensitivityOf, withNoise } from './noise.ts';
import type { Tally, TallyRequest } from './tally.task.ts';

const TASKS = new URL('./tally.task.ts', import.meta.url).href;

export interface Tallied {
  readonly input: StatisticInput;
  readonly asOf: number;
  readonly names: readonly string[];
  readonly tally: Tally;
}
/** What is told is known already, or made of a tally. */
interface Known {
  readonly told: Told;
  readonly lineage: Partial<RunLineage>;
}
type Computed = Known | Tallied;
type Loaded =
  | Known
  | { readonly request: TallyRequest; readonly names: readonly string[]; readonly input: StatisticInput };

type Noisy = StatisticInput & { readonly protection: Exclude<StatisticInput['protection'], { mechanism: 'cohort' }> };
export const isNoisy = (input: StatisticInput): input is Noisy => input.protection.mechanism !== 'cohort';

/** The answer that was recorded for this release; the first is the only one. */
function recordedAs({ release, query, answer }: NoisyRelease, input: Asked): Told {
  if (query !== queryOf(input)) throw new AppError('STATISTIC_REUSED', { details: { release } });
  return privateStatistics.output.parse(JSON.parse(answer));
}

/** Before anything is read: a release that was drawn is told again, and one that the budget does not hold is refused. */
async function alreadyTold(input: Noisy, { store, tenant, clock }: RunContext): Promise<Told | undefined> {
  const before = await store.budgets.released(tenant, input.release);
  if (before !== undefined) return recordedAs(before, input);
  const state = await store.budgets.state(tenant, clock.now());
  if (state === undefined) throw new AppError('BUDGET_NOT_SET', { details: { tenant } });
  const { pico: costPico } = noisesOf(input, input.protection);
  const leftPico = Math.max(0, state.totalPico - state.spentPico);
  if (costPico > leftPico)
    throw new AppError('BUDGET_EXHAUSTED', { details: { costPico, leftPico, periodEndsAt: state.periodEndsAt } });
  return undefined;
}

async function load(input: Asked, context: RunContext): Promise<Loaded> {
  if (input.statistic === 'answers')
    return { told: await tellAnswers(input, context), lineage: { reads: [{ name: 'answers' }] } };
  const told = isNoisy(input) ? await alreadyTold(input, context) : undefined;
  if (told !== undefined) return { told, lineage: { inputs: [input.dataset] } };
  const loaded = await loadEvents(input.dataset, 'measurement', context);
  // Nobody at all is no reason to refuse: under noise that would tell that there is nobody.
  const events = await admitEvents(loaded.columns, allowsFor('measurement', loaded), context);
  const { names, ...grouped } = await groupsOf(input, events, context);
  return { input, names, request: requestOf(input, loaded.dataset.asOf, { ...grouped, events, groups: names.length }) };
}

function requestOf(
  input: StatisticInput,
  asOf: number,
  grouped: Pick<TallyRequest, 'events' | 'by' | 'table' | 'itemOf' | 'groups'>,
): TallyRequest {
  const { types, from, until, contribution, statistic } = input;
  const { events, groups, least, most, grid } = contribution;
  return {
    ...grouped,
    asOf,
    types: Uint8Array.from(EVENT_TYPES, (type) => (types === undefined || types.includes(type) ? 1 : 0)),
    from: from ?? Number.NEGATIVE_INFINITY,
    until: until ?? Number.POSITIVE_INFINITY,
    bound: { events, groups },
    ...(statistic === 'sum' && { steps: { least, most, grid } }),
    wantsMembers: !isNoisy(input),
  };
}

async function compute(loaded: Loaded, { pool, signal }: RunContext): Promise<Computed> {
  if ('told' in loaded) return loaded;
  const { input, names, request } = loaded;
  const [tally] = await pool.runPhase<Tally>([{ module: TASKS, name: 'tallyGroups', payload: request }], signal);
  return { input, names, asOf: request.asOf, tally: tally! };
}

/** Consent as it is now, before noise is drawn: who withdrew since the load is in no draw. */
async function stillAllowed({ store, tenant, consentEpoch }: RunContext): Promise<void> {
  const { subjects } = await store.consents.withdrawnSince(tenant, consentEpoch, privateStatistics.purposes);
  if (subjects.length > 0) throw new AppError('CONSENT_CHANGED', { details: { withdrawn: subjects.length } });
}

async function drawOnce({ names, tally }: Tallied, input: Noisy, context: RunContext): Promise<Told> {
  await stillAllowed(context);
  const { store, tenant, clock, consentEpoch } = context;
  const { release, statistic, by, cohortMin, protection, contribution } = input;
  const noises = noisesOf(input, protection);
  const unit = statistic === 'sum' ? contribution.grid : 1;
  const at = clock.now();
  const told: Told = {
    release,
    statistic,
    by,
    ...withNoise(input, names, tally, noises),
    protection: 'noise',
    spent: { rho: noises.rho, epsilon: protection.mechanism === 'laplace' ? protection.epsilon : null },
    noise: {
      mechanism: protection.mechanism,
      deviation: noises.values.deviation * unit,
      sensitivity: numberOf(rational(sensitivityOf(input).sum)) * unit,
    },
    cohortMin,
    consentEpoch,
    at,
  };
  const draw = { release, query: queryOf(input), pico: noises.pico, at, answer: JSON.stringify(told) };
  return recordedAs(await store.budgets.spend(tenant, draw), input);
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof privateStatistics>> {
  if ('told' in computed) return { output: computed.told, lineage: computed.lineage };
  const { input } = computed;
  const lineage = { inputs: [input.dataset], engine: 'js', threads: 1 } as const;
  if (isNoisy(input)) return { output: await drawOnce(computed, input, context), lineage };
  const output = await tellCohorts(computed, context);
  return { output, version: output.version!, lineage };
}

/** Answers of people who allow measurement for where they gave them. */
async function tellAnswers(input: AnswersInput, context: RunContext): Promise<Told> {
  const { store, tenant, clock, consentEpoch, signal } = context;
  const { release, statistic, cohortMin } = input;
  const question = await store.answers.question(tenant, input.question);
  if (question === undefined) throw new AppError('QUESTION_UNKNOWN', { details: { question: input.question } });
  const consents = await store.consents.snapshot(tenant);
  const counts = question.choices.map(() => 0);
  let people = 0;
  for await (const { subject, choice, source } of store.answers.of(tenant, question.question)) {
    signal.throwIfAborted();
    if (!consents.allows(subject, 'measurement', source)) continue;
    counts[choice]! += 1;
    people += 1;
  }
  if (people < cohortMin) throw new AppError('COHORT_TOO_SMALL', { details: { cohortMin } });
  return {
    release,
    statistic,
    by: 'answer',
    groups: estimated(question, counts),
    suppressed: [],
    protection: 'randomised-response',
    spent: null,
    noise: { mechanism: 'randomised-response', deviation: 0, sensitivity: 1 },
    cohortMin,
    consentEpoch,
    at: clock.now(),
  };
}

export default defineProcessor({ contract: privateStatistics, load, compute, write });
