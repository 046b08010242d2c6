/**
 * Facts that only a browser can tell about the dashboard: forms, cookies, policy and scripts together.
 * Screenshots go to MILLRACE_SCREENSHOTS, else to a temporary folder that the test removes.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'bullmq';
import type { FastifyInstance } from 'fastify';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDashboard } from '../../dashboard/build.ts';
import { openQueues } from '../../dashboard/overview/queues.ts';
import { noteSources } from '../../dashboard/source-fixture.ts';
import { makeJob } from '../../jobs/client/make-job.ts';
import { buildGateway } from '../../jobs/gateway/build.ts';
import { contractOf } from '../../jobs/registry.ts';
import { generatePassword, hashPassword } from '../../shared/governance/password.ts';
import { declareDefaults } from '../../workers/runtime/schedules.ts';
import { type Published, publishSomething, TENANT } from '../published.ts';
import { type TestServices, testServices } from '../services.ts';
import { type Browser, chromiumPath, openBrowser } from './browser.ts';

const PASSWORD = generatePassword();
const OUTPUT = { version: 'features-1', rows: 2_000, features: ['views'], consentEpoch: 1 };
const DONE = 3;

describe.skipIf(chromiumPath === undefined)('the dashboard in a browser', () => {
  const stack = new AsyncDisposableStack();
  let services: TestServices;
  let published: Published;
  let app: FastifyInstance;
  let address: string;
  let browser: Browser;
  let folder: string;

  /** Real jobs through a real worker: some finished, one failed, one waiting in another queue. */
  async function runJobs(): Promise<void> {
    const { redis, prefix } = services;
    const queues = openQueues(redis, prefix);
    const queueOf = (kind: string) => queues.find(({ name }) => name === kind);
    let left = DONE + 1;
    const connection = redis.duplicate();
    const worker = new Worker(
      'feature-build',
      async (job) => {
        if (job.data.input.dataset === 'broken')
          throw Object.assign(new Error('{"code":"DATASET_NOT_FOUND"}'), { name: 'UnrecoverableError' });
        return OUTPUT;
      },
      { connection, prefix },
    );
    const ended = new Promise<void>((resolve) => {
      const count = (): void => void (--left === 0 && resolve());
      worker.on('completed', count);
      worker.on('failed', count);
    });
    const add = async (kind: string, input: unknown, key: string): Promise<void> => {
      const made = makeJob(contractOf(kind), input, { tenant: TENANT, key, asOf: Date.now() });
      if (made.fits) await queueOf(kind)?.add(made.job.name, made.job.data, made.job.opts);
    };
    for (let index = 0; index < DONE; index++) await add('feature-build', { dataset: `d${index}` }, `done-${index}`);
    await add('feature-build', { dataset: 'broken' }, 'broken');
    await add('segmentation', { features: 'features-1' }, 'waiting');
    await declareDefaults(redis, prefix, TENANT, Date.now());
    await ended;
    await worker.close();
    connection.disconnect();
    await Promise.all(queues.map((queue) => queue.close()));
  }

  beforeAll(async () => {
    services = stack.use(await testServices());
    const { store, redis, config, prefix } = services;
    folder = process.env.MILLRACE_SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), 'millrace-screenshots-')));
    if (process.env.MILLRACE_SCREENSHOTS === undefined) stack.defer(() => rm(folder, { recursive: true, force: true }));
    published = await publishSomething(store);
    await runJobs();
    await noteSources(store, Date.now());
    await store.accounts.write({
      user: 'admin',
      role: 'admin',
      initial: false,
      passwordHash: await hashPassword(PASSWORD),
    });
    const queues = openQueues(redis, prefix);
    stack.defer(async () => void (await Promise.all(queues.map((queue) => queue.close()))));
    app = await buildDashboard({ store, redis, queues, config });
    stack.defer(() => app.close());
    address = await app.listen({ host: '127.0.0.1', port: 0 });
    browser = stack.use(await openBrowser());
  });
  afterAll(() => stack.disposeAsync());

  /** A page that remembers what the browser complained about: errors of scripts, and what the policy blocked. */
  async function openPage(): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())));
    return { page, complaints };
  }

  async function login(page: Page, password: string): Promise<void> {
    await page.getByLabel('User').fill('admin');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  async function shoot(page: Page, name: string): Promise<void> {
    const path = join(folder, `${name}.png`);
    await page.screenshot({ path, fullPage: true });
    expect((await stat(path)).size).toBeGreaterThan(10_000);
  }

  async function loggedIn(): Promise<{ page: Page; complaints: string[] }> {
    const opened = await openPage();
    await browser.context.clearCookies();
    await opened.page.goto(address);
    await login(opened.page, PASSWORD);
    await opened.page.getByRole('heading', { level: 1 }).waitFor();
    return opened;
  }

  it('refuses a wrong password in words, keeps the user name, and lets the right one in', async () => {
    const { page } = await openPage();
    await browser.context.clearCookies();
    await page.goto(`${address}/release`);
    await login(page, 'not-the-password');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('User name or password is wrong.');
    expect(await page.getByLabel('User').inputValue()).toBe('admin');
    await shoot(page, 'login-refused');
    await login(page, PASSWORD);
    await page.getByRole('heading', { level: 1, name: /^Release/ }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/release');
    await page.close();
  });

  it.each([
    ['desktop-light', 1280, 'light'],
    ['desktop-dark', 1280, 'dark'],
    ['narrow-light', 390, 'light'],
    ['narrow-dark', 390, 'dark'],
  ] as const)('shows what is published, without overflowing, as %s', async (name, width, colorScheme) => {
    const { page, complaints } = await loggedIn();
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    for (const text of [published.release, 'simulated data', 'evening bingers', '0.247'])
      expect(await page.getByText(text).first().isVisible()).toBe(true);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await shoot(page, `overview-${name}`);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('refreshes the overview by itself', async () => {
    const { page, complaints } = await loggedIn();
    const refreshed = page.waitForResponse(
      (answer) => answer.url() === `${address}/` && answer.request().resourceType() === 'fetch',
    );
    await services.store.releases.write({
      version: 'r-0002',
      tenant: TENANT,
      ...published.versions,
      asOf: Date.now(),
      createdAt: Date.now(),
      runKey: 'main.pipeline.x',
    });
    await services.store.releases.move(TENANT, 1, { asOf: Date.now(), runKey: 'main.pipeline.x', version: 'r-0002' });
    await refreshed;
    await page.getByRole('link', { name: 'r-0002' }).waitFor();
    expect(complaints).toEqual([]);
    await services.store.releases.move(TENANT, 2, {
      asOf: Date.now(),
      runKey: 'main.pipeline.y',
      version: published.release,
    });
    await page.close();
  });

  it('leads from the overview to a run, a pipeline, and the audit report', async () => {
    const { page, complaints } = await loggedIn();
    await page
      .getByRole('region', { name: 'Latest runs' })
      .getByRole('link', { name: 'embedding-training' })
      .last()
      .click();
    await page.getByRole('heading', { name: /embedding-training/ }).waitFor();
    await page.goto(`${address}/runs/${published.failedRun}`);
    await page.getByText('NUMERICS_MEMORY_LIMIT').waitFor();
    await shoot(page, 'run-failed');
    await page.goto(address);
    await page.getByRole('link', { name: 'refresh', exact: true }).click();
    await page.getByRole('heading', { name: 'Steps' }).waitFor();
    await shoot(page, 'pipeline');
    await page.goto(`${address}/release`);
    await page.getByRole('heading', { name: 'Audit report' }).waitFor();
    await shoot(page, 'release');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.each([
    ['desktop', 1280],
    ['narrow', 390],
  ] as const)(
    'leads from the overview to the sources and the days of one, without overflowing, as %s',
    async (name, width) => {
      const { page, complaints } = await loggedIn();
      await page.setViewportSize({ width, height: 844 });
      await page.getByRole('link', { name: 'Sources' }).click();
      await page.getByRole('heading', { level: 1, name: 'Sources' }).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      await shoot(page, `sources-${name}`);
      await page.getByRole('link', { name: 'clips-app' }).click();
      await page.getByRole('heading', { name: 'What waits' }).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      await shoot(page, `source-${name}`);
      expect(complaints).toEqual([]);
      await page.close();
    },
  );

  it('shows the documentation of the gateway, which works under its policy', async () => {
    const { store, config } = services;
    const gateway = await buildGateway({ store, config });
    stack.defer(() => gateway.close());
    const { page, complaints } = await openPage();
    await page.goto(`${await gateway.listen({ host: '127.0.0.1', port: 0 })}/docs`);
    await page.getByText('Take in a batch of events').waitFor();
    await shoot(page, 'gateway-docs');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows the finished jobs in Bull Board, which works under our policy and can retry the failed one', async () => {
    const { page, complaints } = await loggedIn();
    await page.goto(`${address}/queues/queue/feature-build?status=completed`);
    await page.getByText('features-1').first().waitFor();
    await shoot(page, 'queues');
    await page.goto(`${address}/queues/queue/feature-build?status=failed`);
    const retried = page.waitForResponse((answer) => answer.request().method() === 'PUT');
    await page.getByRole('button', { name: /retry/i }).first().click();
    const confirm = page.getByRole('button', { name: /^confirm$/i });
    await confirm.click({ timeout: 5_000 });
    expect((await retried).status()).toBeLessThan(300);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
