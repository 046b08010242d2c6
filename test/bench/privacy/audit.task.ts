/** Owns one repeat of the audit, in a thread: two worlds, and whether what they show is more than was promised. */
import { audit, type AuditResult } from '../../../shared/governance/differential-privacy/audit.ts';
import { seeded } from '../../../shared/governance/differential-privacy/seeded.fixture.ts';
import { cryptographic } from '../../../shared/governance/differential-privacy/random-bits.ts';
import { type Audited, drawWorld } from './worlds.ts';

export interface AuditRequest {
  readonly audited: Audited;
  readonly epsilon: number;
  readonly delta: number;
  readonly draws: number;
  /** Absent: the system's source. */
  readonly seed?: string;
}

export function auditOnce({ audited, epsilon, delta, draws, seed }: AuditRequest): AuditResult {
  const sourceOf = (world: string) => (seed === undefined ? cryptographic : seeded(`${seed} ${world}`));
  const withPerson = drawWorld(audited, true, draws, sourceOf('with'));
  const without = drawWorld(audited, false, draws, sourceOf('without'));
  return audit(withPerson, without, epsilon, delta);
}
