/** Owns that the documentation is true where a machine can tell: generated pages, folders, links, settings, no paths of a machine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, test } from 'vitest';
import { pages } from '../docs/generate.ts';
import { ERROR_CODES } from '../shared/errors.ts';
import { PROJECT_DIR } from '../shared/config.ts';
import { JOB_KINDS } from '../jobs/registry.ts';

const FOLDERS = ['dashboard', 'docker', 'docs', 'jobs', 'shared', 'test', 'workers'];
const read = (path: string): string => readFileSync(join(PROJECT_DIR, path), 'utf8');

const files = [
  ...readdirSync(PROJECT_DIR, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(PROJECT_DIR, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(PROJECT_DIR, join(entry.parentPath, entry.name)).split(sep).join('/')),
  ),
].filter((path) => !/(^|\/)(node_modules|dist)\//.test(path));
const pagesOfProject = files.filter((path) => path.endsWith('.md'));

/** Text without blocks and spans of code: links are not looked for there. */
const prose = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** As the hosts of repositories make anchors of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));

/** Why a link leads nowhere, or undefined. */
function broken(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(PROJECT_DIR, page) : resolve(PROJECT_DIR, dirname(page), path);
  if (!existsSync(target)) return `${page} -> ${link}`;
  if (anchor === undefined || anchorsOf(readFileSync(target, 'utf8')).includes(anchor)) return undefined;
  return `${page} -> ${link}: no such heading`;
}

test.each(Object.entries(pages()))('docs/%s says what the code says (else: npm run docs)', (name, text) => {
  expect(read(`docs/${name}`)).toBe(text);
});

test('every error code and every kind has its place in the generated pages', () => {
  const { 'errors.md': errors, 'contracts.md': contracts } = pages();
  expect(Object.keys(ERROR_CODES).filter((code) => !errors?.includes(`| \`${code}\` `))).toEqual([]);
  expect(JOB_KINDS.filter((kind) => !contracts?.includes(`\n## ${kind}, version `))).toEqual([]);
});

test('every folder on the map of README.md is there, and every folder of the project is on it', () => {
  const map = read('README.md').split('## Map')[1]?.split('\n## ')[0] ?? '';
  const named = [...map.matchAll(/^\| `([^`]+\/)`/gm)].map(([, folder]) => folder!);
  expect(named.filter((folder) => !existsSync(join(PROJECT_DIR, folder)))).toEqual([]);
  expect(FOLDERS.filter((folder) => !named.includes(`${folder}/`))).toEqual([]);
});

test('every link inside the project leads somewhere', () => {
  const links = pagesOfProject.flatMap((page) =>
    [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => ({ page, link })),
  );
  expect(links.length).toBeGreaterThanOrEqual(15);
  expect(links.map(({ page, link }) => broken(page, link)).filter((why) => why !== undefined)).toEqual([]);
});

/** Names that belong to the system or to tools that set-up starts, not to Millrace. */
const FOREIGN = new Set(['HOME', 'PATH']);

test('every setting that the code reads is explained in docs/operating.md', () => {
  const sources = files.filter(
    (path) =>
      path === 'docker/compose.yaml' ||
      (/\.(ts|mjs)$/.test(path) && !path.endsWith('.test.ts') && !path.startsWith('docs/')),
  );
  const forms = [
    /\b(MILLRACE_[A-Z]+(?:_[A-Z]+)*|REDIS_URL|MONGODB_URL)\b(?!\$|_)/g,
    /\benv(?:ironment)?\??\.([A-Z][A-Z0-9_]*)\b/g,
  ];
  const names = sources.flatMap((path) =>
    forms.flatMap((form) => [...read(path).matchAll(form)].map(([, name]) => name!)),
  );
  const settings = [...new Set(names)].filter((name) => !FOREIGN.has(name)).sort();
  expect(settings.length).toBeGreaterThan(25);
  const page = read('docs/operating.md');
  expect(settings.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
});

test('every setting that docs/operating.md explains is read somewhere', () => {
  const code = files
    .filter((path) => /\.(ts|mjs|yaml)$/.test(path) && path !== 'test/docs.test.ts')
    .map(read)
    .join('\n');
  const named = [...read('docs/operating.md').matchAll(/\b(?:MILLRACE|MONGOMS)_[A-Z_]+\b/g)].map(([name]) => name);
  const unread = [...new Set(named)].filter((name) => !code.includes(name) && !/^MILLRACE_[A-Z]+_KEY_FILE$/.test(name));
  expect(unread).toEqual([]);
});

/** Split, so that this file does not name what it looks for. */
const REGISTRIES = new RegExp(['npmjs', 'pypi', 'pythonhosted', 'golang'].map((name) => `${name}\\.org`).join('|'));

test('no page and no source names a path of somebody’s machine or the host of a registry', () => {
  const forms = [/(?<![\w.~-])\/(?:home|Users|work)\/[\w.-]+/, REGISTRIES];
  const wrong = files
    .filter((path) => /\.(md|ts|mjs|json|yaml|sh)$|Dockerfile|^\.npmrc$/.test(path))
    .flatMap((path) => {
      const text = read(path);
      return forms.flatMap((form) => form.exec(text)?.map((found) => `${path}: ${found}`) ?? []);
    });
  expect(wrong).toEqual([]);
});
