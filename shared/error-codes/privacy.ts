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
} as const satisfies Record<string, ErrorCode>;
