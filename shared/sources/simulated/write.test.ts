/** Facts about the simulation as files. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { simulate, writeSimulation } from './index.ts';

const TINY = { people: 40, videos: 80, days: 3, events: 1_500, seed: 9 };

async function freshDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-sim-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const lines = async (path: string): Promise<unknown[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));

test('writes the canonical records and all labels beside them, each file whole', async () => {
  const dir = join(await freshDir(), 'deep', 'er');
  const counts = await writeSimulation(dir, TINY);
  const simulation = simulate(TINY);
  expect(await lines(join(dir, 'events.jsonl'))).toEqual([...simulation.events()]);
  expect(await lines(join(dir, 'truth-people.jsonl'))).toEqual([...simulation.truth.people()]);
  expect(counts['people.jsonl']).toBe(40);
  const impressions = [...simulation.events()].filter((event) => event.type === 'impression').length;
  expect(counts['exposures.jsonl']).toBe(impressions);
  const manifest: unknown = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8'));
  expect(manifest).toMatchObject({ source: 'simulated', simulated: true, settings: { seed: 9 }, counts });
  expect((await readdir(dir)).filter((name) => name.endsWith('.partial'))).toEqual([]);
});

test('writes the relevance as a NumPy matrix in the order of the files', async () => {
  const dir = await freshDir();
  await writeSimulation(dir, TINY);
  const bytes = await readFile(join(dir, 'relevance.npy'));
  expect(bytes.subarray(0, 6).toString('latin1')).toBe('\x93NUMPY');
  const start = 10 + bytes.readUInt16LE(8);
  expect(start % 64).toBe(0);
  expect(bytes.subarray(10, start).toString('latin1')).toContain("'shape': (40, 80)");
  expect(bytes.length).toBe(start + 40 * 80);
  const { truth, ...simulation } = simulate(TINY);
  const person = [...simulation.people()][7]!;
  const item = [...simulation.items()][33]!;
  expect(bytes[start + 7 * 80 + 33]).toBe(Math.round(255 * truth.relevance(person.id, item.id)));
});

test('a folder that cannot be written is FILE_NOT_FOUND with its name', async () => {
  const dir = await freshDir();
  await writeFile(join(dir, 'taken'), '');
  await expect(writeSimulation(join(dir, 'taken', 'sub'), TINY)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});
