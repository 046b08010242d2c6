/** Owns the audit as one task of the compute pool: it is a second of pure arithmetic that must not hold up an event loop. */
import type { AuditReport } from '../../contract-kit/audit-report.ts';
import { type AuditInput, auditRecommendations } from './audit.ts';

export function audit(input: AuditInput): AuditReport {
  return auditRecommendations(input);
}
