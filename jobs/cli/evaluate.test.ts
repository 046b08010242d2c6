/** `millrace evaluate` as a person or a program runs it: its own process, no services. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const entry = new URL('./evaluate.fixture.ts', import.meta.url).pathname;
const data = join(process.env.MILLRACE_TEST_DATA ?? resolve(import.meta.dirname, '../../../shared/data'), 'ml-100k');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command with an environment in which no service could be found. */
function millrace(...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    const env = {
      PATH: process.env.PATH ?? '',
      REDIS_URL: 'redis://127.0.0.1:1',
      MONGODB_URL: 'mongodb://127.0.0.1:1',
    };
    const child = execFile(process.execPath, [entry, 'evaluate', ...args], { env }, (_, stdout, stderr) => {
      done({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

const lastJson = ({ stdout }: Outcome) => JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>;

let folder: string;
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-evaluate-'));
  // Two tastes: people with even numbers like even items, each without one that the test wants back.
  const lines = { train: '', test: '', valid: '' };
  for (let user = 0; user < 40; user++) {
    for (let item = user % 2; item < 20; item += 2) {
      const part = item === user % 20 ? 'test' : item === (user + 4) % 20 ? 'valid' : 'train';
      lines[part] += `${user}\t${item}\t5\t100\n`;
    }
  }
  for (const [name, text] of Object.entries(lines)) await writeFile(path(`${name}.tsv`), text);
  await writeFile(path('broken.tsv'), '1\t2\t3\n1\t2\tmany\n');
});
afterAll(() => rm(folder, { recursive: true }));

describe('millrace evaluate', () => {
  const files = () => ['--train', path('train.tsv'), '--test', path('test.tsv')];

  test.each(['popularity', 'item-knn', 'ials', 'bpr', 'warp', 'item2vec'])(
    'prints one JSON object for %s',
    async (model) => {
      const outcome = await millrace(...files(), '--model', model, '--k', '5', '--threads', '2', '--json');
      expect(outcome).toMatchObject({ code: 0, stderr: '' });
      expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(1);
      expect(lastJson(outcome)).toMatchObject({
        model,
        params: expect.any(Object),
        users: 40,
        recall: expect.any(Number),
        ndcg: expect.any(Number),
        trainSeconds: expect.any(Number),
        scoreSeconds: expect.any(Number),
        threads: 2,
        engine: expect.stringMatching(/^wasm-/),
        k: 5,
      });
    },
  );

  test('gives the same figures on 1 and 2 threads, and learns the tastes', async () => {
    const run = async (threads: string) =>
      lastJson(await millrace(...files(), '--k', '5', '--threads', threads, '--json'));
    const [one, two] = [await run('1'), await run('2')];
    expect(one).toMatchObject({ ndcg: two.ndcg, recall: two.recall });
    expect(one.recall).toBe(1);
  });

  test('--exclude masks more, --valid never does', async () => {
    const base = [...files(), '--k', '2', '--model', 'ials', '--json'];
    const plain = lastJson(await millrace(...base));
    const valid = lastJson(await millrace(...base, '--valid', path('valid.tsv')));
    const masked = lastJson(await millrace(...base, '--exclude', path('valid.tsv')));
    expect(valid.ndcg).toBe(plain.ndcg);
    expect(masked.recall).toBe(1);
    expect(masked.ndcg).toBeGreaterThan(plain.ndcg as number);
  });

  test('--liked-from masks low ratings and learns nothing from them', async () => {
    const [train, low] = [await readFile(path('train.tsv'), 'utf8'), await readFile(path('valid.tsv'), 'utf8')];
    await writeFile(path('rated.tsv'), train + low.replaceAll('\t5\t100', '\t1\t100'));
    const base = ['--test', path('test.tsv'), '--k', '2', '--model', 'ials', '--json'];
    const masked = lastJson(await millrace(...base, '--train', path('train.tsv'), '--exclude', path('valid.tsv')));
    const rated = lastJson(await millrace(...base, '--train', path('rated.tsv'), '--liked-from', '3'));
    expect(rated).toMatchObject({ ndcg: masked.ndcg, interactions: masked.interactions });
  });

  test('--tune chooses on --valid, names its trials, and prints a line that reproduces them', async () => {
    const outcome = await millrace(
      ...files(),
      '--model',
      'item-knn',
      '--k',
      '5',
      '--valid',
      path('valid.tsv'),
      '--tune',
    );
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toMatch(/tune item-knn .*\d+\/23 trials, ndcg/);
    const params = /--params '(.*)'/.exec(outcome.stdout)![1]!;
    const result = lastJson(outcome);
    expect(result.trials).toHaveLength(10);
    const again = lastJson(await millrace(...files(), '--model', 'item-knn', '--k', '5', '--params', params, '--json'));
    expect(again).toMatchObject({ ndcg: result.ndcg, params: result.params });
  });

  test('--tune without --valid holds out a part of the training file', async () => {
    const outcome = await millrace(...files(), '--model', 'item-knn', '--k', '5', '--tune', '--json');
    expect(lastJson(outcome).trials).toHaveLength(10);
  });

  test('compares two models person by person, in a table and in the last line', async () => {
    const outcome = await millrace(...files(), '--k', '5', '--model', 'ease', '--against', 'popularity');
    expect(outcome.stdout).toMatch(/ndcg@5 .* better\n/);
    const { against, breakdown } = lastJson(outcome) as { against: { differences: unknown[] }; breakdown: object };
    expect(against).toMatchObject({ model: 'popularity', differences: expect.any(Array) });
    expect(against.differences[1]).toMatchObject({ metric: 'ndcg', difference: expect.any(Number) });
    expect(breakdown).toMatchObject({
      novelty: expect.any(Number),
      gini: expect.any(Number),
      groups: expect.any(Array),
    });
  });

  test('parts one file: cross-validation, people that training never saw, and time', async () => {
    const split = (...more: string[]) => millrace('--train', path('train.tsv'), '--k', '5', '--model', 'ease', ...more);
    const folds = lastJson(await split('--split', 'random', '--folds', '3')).folds as { ndcg: number }[];
    expect(folds).toHaveLength(3);
    expect(lastJson(await split('--split', 'strong', '--json'))).toMatchObject({ ndcg: expect.any(Number) });
    const personal = await split('--split', 'strong', '--model', 'ials');
    expect(personal).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/MODEL_NOT_INDUCTIVE/) });
    // All lines have one time: nothing lies before a cut.
    expect((await split('--split', 'time')).stderr).toMatch(/DATASET_EMPTY/);
  });

  test('says what a source is worth to a model that fuses them', async () => {
    const ties = Array.from({ length: 40 }, (_, user) => `${user} ${(user + 2) % 40}`);
    await writeFile(path('ties.txt'), ties.join('\n'));
    const source = ['--source', `social=ties:${path('ties.txt')}`];
    const outcome = await millrace(...files(), '--k', '5', '--model', 'fusion', ...source);
    expect(outcome.stdout).toMatch(/source social: ndcg@5/);
    expect(lastJson(outcome).sources).toMatchObject([{ name: 'social', gain: { difference: expect.any(Number) } }]);
    expect((await millrace(...files(), '--source', 'social')).stderr).toMatch(/USAGE.*--source/);

    const fusion = [...files(), '--k', '5', '--model', 'fusion', ...source];
    const why = await millrace(...fusion, '--explain', '3', '4');
    expect(why.stdout).toMatch(/for 3:\n +on-site +weight/);
    expect(lastJson(why).explanations).toMatchObject([
      { user: '3', branches: [{ name: 'on-site' }, { name: 'social' }], items: expect.any(Array) },
      { user: '4' },
    ]);
    expect((await millrace(...fusion, '--explain', 'nobody')).stderr).toMatch(/NOT_FOUND.*explained/);
    expect((await millrace(...files(), '--explain', '3')).stderr).toMatch(/USAGE.*--explain/);
  });

  test('groups of a file have figures of their own', async () => {
    const lines = Array.from({ length: 40 }, (_, user) => `${user} ${user % 2 === 0 ? 'even' : 'odd'}`);
    await writeFile(path('groups.txt'), lines.join('\n'));
    const result = lastJson(await millrace(...files(), '--groups', path('groups.txt'), '--json'));
    expect((result.breakdown as { groups: unknown }).groups).toMatchObject([
      { name: 'even', users: 20 },
      { name: 'odd', users: 20 },
    ]);
  });

  test.each([
    ['neither a test nor a split', () => ['--train', path('train.tsv')], /USAGE.*--test or --split/],
    ['an unknown split', () => ['--train', path('train.tsv'), '--split', 'alphabet'], /USAGE.*leave-one-out/],
    ['folds by time', () => ['--train', path('train.tsv'), '--split', 'time', '--folds', '3'], /USAGE.*--folds/],
    [
      'a broken file',
      () => ['--train', path('broken.tsv'), '--test', path('test.tsv')],
      /FILE_MALFORMED.*line 2, column 3/,
    ],
    ['a missing file', () => ['--train', path('none.tsv'), '--test', path('test.tsv')], /FILE_NOT_FOUND/],
    ['an unknown model', () => [...files(), '--model', 'magic'], /MODEL_UNKNOWN.*ials/],
    ['unknown parameters', () => [...files(), '--params', '{"depth":3}'], /MODEL_PARAMS_INVALID.*depth/],
    ['parameters that are not JSON', () => [...files(), '--params', '{'], /USAGE.*--params/],
    ['a k that is no number', () => [...files(), '--k', 'ten'], /USAGE.*--k/],
    ['a --liked-from that is no number', () => [...files(), '--liked-from', 'three'], /USAGE.*--liked-from/],
    ['no threads', () => [...files(), '--threads', '0'], /USAGE.*--threads/],
    ['too little memory', () => [...files(), '--memory', '1', '--params', '{"factors":1024}'], /NUMERICS_MEMORY_LIMIT/],
  ])('answers %s with a code and without a result', async (_, args, message) => {
    const outcome = await millrace(...args());
    expect(outcome.code).not.toBe(0);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stdout).toBe('');
  });
});

describe.skipIf(!existsSync(data))('on MovieLens-100K', () => {
  test('the defaults of each model reach their bars on a split of their own', { timeout: 300_000 }, async () => {
    // Not the split by which anything is measured or tuned: every tenth rating of a person, in file order.
    const seen = new Map<string, number>();
    const parts = { train: '', test: '' };
    for (const line of (await readFile(join(data, 'u.data'), 'utf8')).trim().split('\n')) {
      const [user, , rating] = line.split('\t');
      if (Number(rating) < 3) continue;
      const n = seen.get(user!) ?? 0;
      seen.set(user!, n + 1);
      parts[n % 5 === 4 ? 'test' : 'train'] += `${line}\n`;
    }
    for (const [name, text] of Object.entries(parts)) await writeFile(path(`ml-${name}.tsv`), text);
    const files = ['--train', path('ml-train.tsv'), '--test', path('ml-test.tsv'), '--k', '10', '--json'];
    const ndcg = async (model: string) => lastJson(await millrace(...files, '--model', model)).ndcg as number;
    const [popularity, knn, ials] = [await ndcg('popularity'), await ndcg('item-knn'), await ndcg('ials')];
    expect(knn).toBeGreaterThan(popularity * 1.4);
    expect(ials).toBeGreaterThan(knn * 1.1);
  });
});
