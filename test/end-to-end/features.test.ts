/** Features as a person uses them: a small network and what it says comes in as ActivityStreams, every view is built, and what was known is asked for. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FEATURE_VIEWS } from '../../shared/contract-kit/feature-views.ts';
import { asUser, type User, TIMEOUT_MS } from './as-a-user.ts';

const PEOPLE = ['asha', 'ben', 'chen', 'dana', 'eli', 'fay'];
const iri = (name: string): string => `https://example.com/${name}`;
const PUBLISHED = '2025-11-02T18:30:00Z';

/** Everybody follows the next; asha follows all, and says that she loves it. */
async function network(user: User): Promise<string> {
  const follow = (a: string, b: string) => ({ type: 'Follow', actor: iri(a), object: iri(b), published: PUBLISHED });
  const ring = PEOPLE.map((name, n) => follow(name, PEOPLE[(n + 1) % PEOPLE.length]!));
  const star = PEOPLE.slice(2).map((name) => follow('asha', name));
  const listens = PEOPLE.map((name) => ({
    type: 'Listen',
    actor: iri(name),
    object: iri('song'),
    published: PUBLISHED,
  }));
  const comment = {
    type: 'Create',
    actor: iri('asha'),
    published: PUBLISHED,
    object: { type: 'Note', id: iri('note'), inReplyTo: iri('song'), content: '<p>I love this, it is great!</p>' },
  };
  const path = join(user.folder, 'network.jsonl');
  await writeFile(path, [...ring, ...star, ...listens, comment].map((one) => `${JSON.stringify(one)}\n`).join(''));
  return path;
}

interface Shown {
  readonly view: string;
  readonly knownAt: string;
  readonly features: Readonly<Record<string, number | null>>;
}

test('every view is built from what came in, shown as of a moment, and joined to training rows', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using user = await asUser();
  await user.worker();
  const consents = PEOPLE.map((name) => ({ user: iri(name), purposes: ['segmentation'], at: PUBLISHED }));
  const allow = JSON.stringify({ source: 'activitystreams', consents });
  await user.json('enqueue', 'ingestion', '--input', allow, '--wait');
  await user.json('import', 'activitystreams', await network(user));
  const before = Date.now();
  await user.json('run', 'refresh-features', '--wait');
  const shown = await user.json<Shown[]>('features', 'show', iri('asha'));
  expect(shown.map(({ view }) => view)).toEqual([...FEATURE_VIEWS]);
  const of = (view: string) => shown.find((one) => one.view === view)!.features;
  expect(of('network')).toMatchObject({ ties: Math.fround(Math.log1p(5)), following: Math.fround(Math.log1p(5)) });
  expect(of('network')['pageRank']).toBeGreaterThan(1);
  expect(of('text')['sentiment']).toBeGreaterThan(0.5);
  expect(of('context')['inSession']).toBe(0);
  const early = await user.millrace('features', 'show', iri('asha'), '--as-of', String(before - 1));
  expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('NOT_FOUND') as string });
  const rows = join(user.folder, 'rows.jsonl');
  const at = [before - 1, Date.now()];
  await writeFile(rows, at.map((moment) => `${JSON.stringify({ user: iri('ben'), at: moment, label: 1 })}\n`).join(''));
  const out = join(user.folder, 'joined.jsonl');
  expect(await user.json('features', 'join', rows, '--view', 'engagement', '--out', out)).toEqual({ rows: 2, out });
  const joined = (await readFile(out, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Shown);
  expect(joined).toMatchObject([
    { label: 1, knownAt: null, features: { confidence: null } },
    { label: 1, features: { frequency7: 0, confidence: expect.any(Number) as number } },
  ]);
});
