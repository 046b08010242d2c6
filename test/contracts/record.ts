/** Owns `npm run contracts`: records every contract version that has no record yet. What is recorded stays as it is, for ever. */
import { CONTRACTS } from '../../jobs/registry.ts';
import { recordVersion } from './samples.ts';

const recorded = Object.values(CONTRACTS).filter((contract) => recordVersion(contract));
for (const { kind, version } of recorded) console.log(`recorded ${kind}, version ${version}`);
if (recorded.length === 0) console.log('every contract version is recorded already');
