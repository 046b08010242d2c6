/** Owns a headless Chromium for browser tests: Debian's, or what MILLRACE_CHROMIUM names; absent, the tests are skipped. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';

const PATHS = [process.env.MILLRACE_CHROMIUM, '/usr/bin/chromium'];
export const chromiumPath = PATHS.find((path) => path !== undefined && path !== '' && existsSync(path));

/** The sandbox needs privileges that containers and CI machines do not give; the rest keeps the browser off the network. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A step that takes longer has failed. */
const STEP_MS_MAX = 10_000;

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
}

export async function openBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('there is no Chromium');
  const profile = await mkdtemp(join(tmpdir(), 'millrace-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath,
    headless: true,
    args: FLAGS,
  });
  context.setDefaultTimeout(STEP_MS_MAX);
  return {
    context,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
