/** Making jobs: hashes, sealing, limits and claims; and failures across Redis. */
import { hash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { ENVELOPE_BYTES_MAX, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import { runKeyOf } from '../../shared/contract-kit/names.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError, ERROR_CODES, type ErrorCodeName } from '../../shared/errors.ts';
import { errorOfReason } from './failure.ts';
import { type JobPlace, makeJob, type MadeJob, readInputText } from './make-job.ts';

const kind = (personal: boolean) =>
  defineJob({
    kind: 'echo',
    version: 3,
    title: 'Says it again.',
    input: z.strictObject({ text: z.string(), times: z.int().default(1) }),
    output: z.object({ text: z.string() }),
    personal,
    effect: 'none',
    purposes: [],
    limits: { inputBytesMax: 1024 * 1024 },
  });
const [plain, personal] = [kind(false), kind(true)];
const [older, newer] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
const place: JobPlace = { tenant: 'acme', key: 'k', asOf: 9, ring: sealRing(older) };

function fitting(contract: typeof plain, input: unknown, where: JobPlace = place): MadeJob {
  const made = makeJob(contract, input, where);
  if (!made.fits) throw new Error('does not fit');
  return made.job;
}

describe('making a job', () => {
  it('fills an envelope that its schema accepts, with the input as the contract completes it', () => {
    const { name, data, opts } = fitting(
      plain,
      { text: 'hi' },
      { ...place, trace: '00-1', step: { run: 'r', step: 's' } },
    );
    expect(name).toBe('echo');
    expect(envelopeSchema.parse(data)).toEqual({
      v: 1,
      kind: 'echo',
      version: 3,
      tenant: 'acme',
      runKey: runKeyOf('acme', 'echo', 'k'),
      inputHash: hash('sha256', '{"text":"hi","times":1}'),
      asOf: 9,
      input: { text: 'hi', times: 1 },
      trace: '00-1',
      step: { run: 'r', step: 's' },
    });
    expect(opts.jobId).toMatch(/^r[0-9a-f]{64}$/);
  });

  it('gives unkeyed jobs run keys of their own and takes a given run key as it is', () => {
    const { key: _, ...unkeyed } = place;
    const ids = Array.from({ length: 1_000 }, () => fitting(plain, { text: 'x' }, unkeyed).opts.jobId);
    expect(new Set(ids).size).toBe(1_000);
    expect(fitting(plain, { text: 'x' }, { ...place, runKey: 'acme.echo.given' }).data.runKey).toBe('acme.echo.given');
  });

  it('names every issue of a wrong input', () => {
    expect(() => makeJob(plain, { text: 1, times: 0.5, more: true }, place)).toThrow(
      expect.objectContaining({
        code: 'INPUT_INVALID',
        details: {
          kind: 'echo',
          issues: [{ path: ['text'] }, { path: ['times'] }, { path: [] }].map((issue) =>
            expect.objectContaining(issue),
          ),
        },
      }),
    );
  });

  it('seals personal input so that only its own run opens it, under a hash that a rotated key keeps', () => {
    const job = fitting(personal, { text: 'Asha' });
    expect(JSON.stringify(job.data)).not.toContain('Asha');
    const rotated = sealRing(`${newer},${older}`);
    const again = fitting(personal, { text: 'Asha' }, { ...place, ring: rotated });
    expect(again.data.inputHash).toBe(job.data.inputHash);
    expect(again.data.sealed?.kid).not.toBe(job.data.sealed?.kid);
    for (const { data } of [job, again])
      expect(readInputText(personal, data, rotated)).toBe('{"text":"Asha","times":1}');
    expect(() => readInputText(personal, { ...job.data, runKey: 'acme.echo.other' }, rotated)).toThrow(
      'PAYLOAD_UNREADABLE',
    );
    expect(() => makeJob(personal, { text: 'Asha' }, { ...place, ring: undefined })).toThrow('connect({ seal');
  });

  it('turns what does not fit into a claim whose body reads back, and refuses what is above the limit of the kind', () => {
    for (const contract of [plain, personal]) {
      const text = randomBytes(100_000).toString('hex');
      const made = makeJob(contract, { text }, place);
      if (made.fits) throw new Error('fits');
      const { data } = made.withClaim({ id: 'c1', sha256: hash('sha256', made.body), bytes: made.body.length });
      expect(data).toMatchObject({ claim: { id: 'c1' } });
      expect(data).not.toHaveProperty('input');
      expect(data).not.toHaveProperty('sealed');
      expect(JSON.parse(readInputText(contract, data, place.ring, made.body))).toEqual({ text, times: 1 });
    }
    expect(() => makeJob(plain, { text: 'x'.repeat(1024 * 1024) }, place)).toThrow('INPUT_TOO_LARGE');
    expect(() => readInputText(personal, fitting(plain, { text: 'x' }).data, place.ring, 'not sealed')).toThrow(
      'PAYLOAD_UNREADABLE',
    );
  });

  it('never makes an envelope above its limit', () => {
    const trace = 't'.repeat(200);
    const step = { run: 'r'.repeat(200), step: 's'.repeat(100), partition: 'p'.repeat(100) };
    let largest = 0;
    fc.assert(
      fc.property(fc.integer({ min: 25_000, max: 65_000 }), fc.constantFrom('x', 'ä', '"'), (length, letter) => {
        const made = makeJob(plain, { text: letter.repeat(length) }, { ...place, trace, step });
        const bytes = made.fits ? Buffer.byteLength(JSON.stringify(made.job.data)) : 0;
        largest = Math.max(largest, bytes);
        return bytes <= ENVELOPE_BYTES_MAX;
      }),
      { numRuns: 40 },
    );
    expect(largest).toBeGreaterThan(ENVELOPE_BYTES_MAX / 2);
  });
});

describe('a failure that crossed Redis', () => {
  it('is the same error again, for every code', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCodeName[])
      for (const options of [{}, { message: 'This case.', details: { a: 1 } }]) {
        const error = new AppError(code, options);
        const rebuilt = errorOfReason(JSON.stringify(error.toJSON()));
        expect(rebuilt.toJSON()).toEqual(error.toJSON());
      }
  });

  it('is INTERNAL when it is plain text or a code of a newer release', () => {
    expect(errorOfReason('job stalled more than allowable limit')).toMatchObject({ code: 'INTERNAL' });
    expect(errorOfReason('{"code":"FROM_THE_FUTURE","message":"m"}')).toMatchObject({
      code: 'INTERNAL',
      details: { code: 'FROM_THE_FUTURE' },
    });
  });
});
