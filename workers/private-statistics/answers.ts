/**
 * Owns what answers under randomised response say together. A device tells the truth with chance p = e^eps / (e^eps + k - 1) and each other choice with
 * q = 1 / (e^eps + k - 1); so a share s of answers stands for (s - q) / (p - q) people of it (Warner 1965; Kairouz et al. 2014).
 */
import { answerChances } from '../../shared/contract-kit/randomised-response.ts';
import { NORMAL_975 } from '../../shared/governance/differential-privacy/mechanism.ts';
import type { PrivateQuestion } from '../../shared/store/ports.ts';
import type { ToldGroup } from './asked.ts';

/** Estimated people behind each choice, unbiased, so possibly below 0; intervals hold what chance on the devices adds. O(choices). */
export function estimated({ choices, epsilon }: PrivateQuestion, counts: readonly number[]): ToldGroup[] {
  const { truth, other } = answerChances(choices.length, epsilon);
  const people = counts.reduce((sum, count) => sum + count, 0);
  return choices.map((group, n) => {
    const value = (counts[n]! - people * other) / (truth - other);
    // Answers are draws that differ by who gave them: of those who hold the choice p (1 - p), of the others q (1 - q).
    const holding = Math.min(people, Math.max(0, value));
    const variance = holding * truth * (1 - truth) + (people - holding) * other * (1 - other);
    const reach = (NORMAL_975 * Math.sqrt(variance)) / (truth - other);
    return { group, value, low: value - reach, high: value + reach, people: null };
  });
}
