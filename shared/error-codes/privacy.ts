/** Owns the codes of privacy-preserving forms: budgets, cohorts, answers, sums. */
import type { ErrorCode } from './error-code.ts';

export const PRIVACY_CODES = {
  ANSWER_INVALID: {
    retry: 'never',
    status: 422,
    what: 'An answer does not fit the question as it is declared.',
    todo: 'Give the choices and the epsilon of the declaration; `details` names them.',
  },
  BUDGET_EXHAUSTED: {
    retry: 'never',
    status: 409,
    what: 'The privacy budget of this period does not hold what the release would cost; nothing was released.',
    todo: 'Ask for less (a smaller epsilon or rho), or wait for the next period: `millrace budget show`.',
  },
  BUDGET_NOT_SET: {
    retry: 'never',
    status: 409,
    what: 'No privacy budget is set, so nothing is released with noise.',
    todo: 'Set one with `millrace budget set`.',
  },
  COHORT_OVERLAPS: {
    retry: 'never',
    status: 409,
    what: 'The people behind this aggregate differ from those behind an earlier one by so few that the difference would tell of them.',
    todo: 'Ask about other people, or ask with noise: a protection of `laplace` or `gaussian`.',
  },
  COHORT_TOO_SMALL: {
    retry: 'never',
    status: 409,
    what: 'Too few people are behind the aggregate; nothing was released.',
    todo: 'Ask about more people: fewer filters, coarser groups, a longer time.',
  },
  QUESTION_CONFLICT: {
    retry: 'never',
    status: 409,
    what: 'The question is declared already, with other choices or another epsilon.',
    todo: 'Declare it under another name: answers that were given keep their meaning.',
  },
  QUESTION_UNKNOWN: {
    retry: 'never',
    status: 404,
    what: 'There is no such question.',
    todo: 'Declare it with `millrace question declare`; `millrace question list` names those there are.',
  },
  STATISTIC_REUSED: {
    retry: 'never',
    status: 409,
    what: 'The release was drawn for another question: one release is one draw of noise for one question.',
    todo: 'Give the new question a release of its own.',
  },
  SUM_CLOSED: {
    retry: 'never',
    status: 409,
    what: 'The round adds up the people that were agreed on, and nobody else.',
    todo: 'Give to the next round, or ask for the agreed people.',
  },
  SUM_DUPLICATE: {
    retry: 'never',
    status: 409,
    what: 'Somebody is in the round more than once.',
    todo: 'One person gives one share to each party of a round.',
  },
  SUM_INCOMPLETE: {
    retry: 'never',
    status: 409,
    what: 'Shares are missing: of people that are to be added up, or of parties that are needed.',
    todo: 'Agree on people whose shares every party holds, and ask as many parties as the scheme needs; `details` has the numbers.',
  },
  SUM_ROUND_CONFLICT: {
    retry: 'never',
    status: 409,
    what: 'The round was opened on other terms.',
    todo: 'Open another round: terms do not change.',
  },
  SUM_ROUND_UNKNOWN: {
    retry: 'never',
    status: 404,
    what: 'This party knows no such round.',
    todo: 'Open it first, at every party.',
  },
} as const satisfies Record<string, ErrorCode>;
