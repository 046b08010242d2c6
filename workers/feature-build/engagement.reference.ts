/** Owns the slow, readable definition of engagement features: plain objects, one line a figure. */
import { EFFORT_TABLE } from '../../shared/numerics/features/effort.ts';
import type { FeatureOf } from '../../shared/numerics/features/registry.ts';
import { INTERACTION_TABLE } from '../../shared/numerics/interactions/weights.ts';
import type { PlainAct } from './features.reference.ts';

const DAY_MS = 86_400_000;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Engagement by person; acts are those that count. `likes`: an explicit act speaks for its item. */
export function referenceEngagement(
  acts: readonly PlainAct[],
  asOf: number,
  likes: (act: PlainAct) => boolean,
): Map<string, Record<FeatureOf<'engagement'>, number>> {
  const ageDays = ({ at }: PlainAct): number => (asOf - at) / DAY_MS;
  const weights = (own: readonly PlainAct[], halfLife: number): number[] =>
    own.map((act) => 0.5 ** (ageDays(act) / halfLife));
  const average = (own: readonly PlainAct[], of: (act: PlainAct) => number, halfLife: number): number => {
    const weight = weights(own, halfLife);
    return sum(own.map((act, n) => of(act) * weight[n]!)) / sum(weight);
  };
  const effort = ({ type, value }: PlainAct): number => EFFORT_TABLE[type] * (type === 'view' ? value! / 100 : 1);
  const frequency = (own: readonly PlainAct[], days: number): number => {
    const spans = Array.from({ length: days }, (_, n) => n);
    return spans.filter((n) => own.some((act) => ageDays(act) >= n && ageDays(act) < n + 1)).length / days;
  };
  const ofPerson = (own: readonly PlainAct[]): Record<FeatureOf<'engagement'>, number> => {
    const views = own.filter(({ type }) => type === 'view');
    const stated = own.filter(({ type }) => INTERACTION_TABLE[type].explicit);
    const weight = weights(own, 30);
    const effective = sum(weight) ** 2 / sum(weight.map((w) => w * w));
    const positive = sum(weights(stated.filter(likes), 30));
    return {
      recency1: Math.log1p(sum(weights(own, 1))),
      recency7: Math.log1p(sum(weights(own, 7))),
      recency30: Math.log1p(sum(weights(own, 30))),
      recency90: Math.log1p(sum(weights(own, 90))),
      frequency7: frequency(own, 7),
      frequency28: frequency(own, 28),
      confidence: effective / (effective + 10),
      intensity: average(own, effort, 30),
      intensityLately: average(own, effort, 7),
      viewPercent: average(views, ({ value }) => value!, 30),
      completeShare: average(views, ({ value }) => Number(value! >= 90), 30),
      likingShare: stated.length === 0 ? Number.NaN : (positive + 1) / (sum(weights(stated, 30)) + 2),
    };
  };
  return new Map([...Map.groupBy(acts, ({ user }) => user)].map(([user, own]) => [user, ofPerson(own)]));
}
