/** Owns how faults of the audit trail are said to people. */
import type { TrailFault } from '../store/ports/trail.ts';

const FAULTS: Readonly<Record<TrailFault['what'], string>> = {
  changed: 'its content is not what was written',
  removed: 'missing',
  'out-of-order': 'stands where another entry belongs',
  replaced: 'is not the one that the next was written after',
  'cut-off': 'missing at the end: a head that was kept elsewhere knows of it',
  'head-not-ours': 'a head of this number is not signed with the key of this deployment',
};

export const faultLine = ({ what, n, to }: TrailFault): string =>
  `${to === undefined ? `Entry ${n}` : `Entries ${n} to ${to}`}: ${FAULTS[what]}.`;

export const NO_HEAD = 'No head is kept elsewhere: that the end was not cut off cannot be told.';
