/** Owns the rules of a consent beyond its schema: purposes that there are, a moment that has come, an end that has not. */
import { type Checked, type ConsentRecord, consentSchema, firstIssue, FUTURE_TOLERANCE_MS, refuse } from './event.ts';
import { PURPOSES } from './purposes.ts';

/** Checks one consent or withdrawal; `nowMs` bounds the future, which clocks may be ahead into by FUTURE_TOLERANCE_MS. */
export function checkConsent(candidate: unknown, index: number, nowMs: number): Checked<ConsentRecord> {
  const parsed = consentSchema.safeParse(candidate);
  if (!parsed.success) {
    const { field, reason } = firstIssue(parsed.error);
    if (/^purposes\.\d+$/.test(field))
      return refuse(index, 'CONSENT_PURPOSE_UNKNOWN', field, `there are ${PURPOSES.join(', ')}`);
    return refuse(index, 'INPUT_INVALID', field, reason);
  }
  const { at, until, state } = parsed.data;
  if (at > nowMs + FUTURE_TOLERANCE_MS)
    return refuse(index, 'CONSENT_IN_FUTURE', 'at', 'lies in the future: check the clock that gave it');
  if (until === undefined) return { ok: true, value: parsed.data };
  if (state === 'withdrawn')
    return refuse(index, 'INPUT_INVALID', 'until', 'a withdrawal has no end: leave it out, and consent anew later');
  if (until <= at) return refuse(index, 'INPUT_INVALID', 'until', 'must lie after `at`');
  if (until <= nowMs) return refuse(index, 'CONSENT_EXPIRED', 'until', 'has passed: ask the person anew');
  return { ok: true, value: parsed.data };
}
