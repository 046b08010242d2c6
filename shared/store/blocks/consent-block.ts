/** Owns a batch of consent changes as the plain bytes of a block. */
import { z } from 'zod';
import { CONSENT_BASES, type ConsentBasis, PURPOSES } from '../../contract-kit/purposes.ts';
import { AppError } from '../../errors.ts';
import type { ConsentChange } from '../../governance/consent-state.ts';
import { type Column, packColumns, unpackColumns } from './columns.ts';

const FORMAT = 'consents/1';
/** With a column of ends. Written only where a consent has one, so that everything else stays readable by older processes, and none of them misses an end. */
const FORMAT_WITH_ENDS = 'consents/2';
const extraSchema = z.object({ sources: z.array(z.string()) });

export interface ConsentRow extends ConsentChange {
  readonly basis: ConsentBasis;
  /** 16 bytes that name the receipt, whose text lies under the person's key. */
  readonly receipt?: Uint8Array;
}

export function encodeConsents(rows: readonly ConsentRow[]): Uint8Array {
  const sources = [...new Set(rows.map(({ source }) => source))];
  const [subject, receipt] = [new Uint8Array(rows.length * 16), new Uint8Array(rows.length * 16)];
  rows.forEach((row, index) => {
    subject.set(row.subject, index * 16);
    if (row.receipt !== undefined) receipt.set(row.receipt, index * 16);
  });
  const columns = new Map<string, Column>([
    ['subject', subject],
    ['receipt', receipt],
    ['at', Float64Array.from(rows, ({ at }) => at)],
    [
      'purposes',
      Uint32Array.from(rows, ({ purposes }) =>
        purposes.reduce((bits, name) => bits | (1 << PURPOSES.indexOf(name)), 0),
      ),
    ],
    ['source', Uint16Array.from(rows, ({ source }) => sources.indexOf(source))],
    ['withdrawn', Uint8Array.from(rows, ({ withdrawn }) => (withdrawn ? 1 : 0))],
    ['basis', Uint8Array.from(rows, ({ basis }) => CONSENT_BASES.indexOf(basis))],
  ]);
  const hasEnds = rows.some(({ until }) => until !== undefined);
  if (hasEnds)
    columns.set(
      'until',
      Float64Array.from(rows, ({ until = 0 }) => until),
    );
  const format = hasEnds ? FORMAT_WITH_ENDS : FORMAT;
  return packColumns({ format, rows: rows.length, extra: { sources }, columns });
}

/** Throws BLOCK_CORRUPT. */
export function decodeConsents(plain: Uint8Array): ConsentRow[] {
  const { format, rows, extra, columns } = unpackColumns(plain);
  const known = extraSchema.safeParse(extra);
  const column = (name: string): Column => {
    const found = columns.get(name);
    if ((format !== FORMAT && format !== FORMAT_WITH_ENDS) || !known.success || found === undefined)
      throw new AppError('BLOCK_CORRUPT', {
        message: 'An entry of the consent log is not one.',
        details: { format, name },
      });
    return found;
  };
  const keyAt = (name: string, row: number) => Uint8Array.from(column(name).subarray(row * 16, row * 16 + 16));
  return Array.from({ length: rows }, (_, row) => {
    const bits = column('purposes')[row]!;
    const receipt = keyAt('receipt', row);
    const until = format === FORMAT_WITH_ENDS ? column('until')[row]! : 0;
    return {
      subject: keyAt('subject', row),
      purposes: PURPOSES.filter((_name, code) => (bits & (1 << code)) !== 0),
      source: known.data!.sources[column('source')[row]!]!,
      withdrawn: column('withdrawn')[row] === 1,
      at: column('at')[row]!,
      basis: CONSENT_BASES[column('basis')[row]!]!,
      ...(receipt.some((byte) => byte !== 0) && { receipt }),
      ...(until > 0 && { until }),
    };
  });
}
