/** Owns what is asked, by its sort, and the name under which a question is known again. */
import { hash } from 'node:crypto';
import type { privateStatistics } from '../../jobs/private-statistics/contract.ts';
import type { ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';

export type Asked = ContractParsed<typeof privateStatistics>;
export type AnswersInput = Extract<Asked, { statistic: 'answers' }>;
export type StatisticInput = Exclude<Asked, AnswersInput>;
export type Told = ContractOutput<typeof privateStatistics>;
export type ToldGroup = Told['groups'][number];

/** The same question has the same name, whatever its release is called. Inputs are parsed: their fields come in one order. */
export const queryOf = (asked: Asked): string => hash('sha256', JSON.stringify({ ...asked, release: '' }));
