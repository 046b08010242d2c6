import { describe, expect, it } from 'vitest';
import { checkConsent } from './check-consent.ts';
import { FUTURE_TOLERANCE_MS } from './event.ts';

const NOW = 1_700_000_000_000;
const said = (more: Readonly<Record<string, unknown>>) => ({ user: 'asha', purposes: ['audit'], at: NOW - 1, ...more });
const refusal = (more: Readonly<Record<string, unknown>>): unknown => {
  const checked = checkConsent(said(more), 7, NOW);
  return checked.ok ? 'goes in' : [checked.rejection.index, checked.rejection.code, checked.rejection.field];
};

describe('a consent', () => {
  it('goes in as long as its moment has come, give or take the clocks, and its end has not', () => {
    expect(refusal({ at: NOW + FUTURE_TOLERANCE_MS, until: NOW + FUTURE_TOLERANCE_MS + 1 })).toBe('goes in');
  });

  it.each([
    ['for a purpose that there is not', { purposes: ['audit', 'profit'] }, 'CONSENT_PURPOSE_UNKNOWN', 'purposes.1'],
    ['from the future', { at: NOW + FUTURE_TOLERANCE_MS + 1 }, 'CONSENT_IN_FUTURE', 'at'],
    ['that has ended', { until: NOW }, 'CONSENT_EXPIRED', 'until'],
    ['that ends before it begins', { until: NOW - 2 }, 'INPUT_INVALID', 'until'],
    ['that is withdrawn for a time', { state: 'withdrawn', until: NOW + 9 }, 'INPUT_INVALID', 'until'],
    ['without purposes', { purposes: [] }, 'INPUT_INVALID', 'purposes'],
  ])('%s is refused with its code and field', (_what, more, code, field) => {
    expect(refusal(more)).toEqual([7, code, field]);
  });
});
