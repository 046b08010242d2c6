/** Facts that only a browser can tell about the script for web pages: nothing before consent, nothing under GPC, nothing lost. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Page, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildGateway } from '../../jobs/gateway/build.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { startHost } from '../../workers/runtime/host.ts';
import { silentLog, type TestServices, testServices } from '../services.ts';
import { type Browser, chromiumPath, openBrowser } from './browser.ts';

/** What pages do with it; `millrace` is the script's function, and its queue before it has come. */
const EARLY = `window.millrace = window.millrace || function () { (millrace.q = millrace.q || []).push(arguments); };`;

describe.skipIf(chromiumPath === undefined)('the script in a browser', () => {
  const stack = new AsyncDisposableStack();
  let services: TestServices;
  let gateway: FastifyInstance;
  let browser: Browser;
  let site: Server;
  let secret: string;

  beforeAll(async () => {
    services = stack.use(await testServices());
    const { store, config } = services;
    stack.use(await startHost({ config, log: silentLog, kinds: ['ingestion'] }));
    gateway = stack.adopt(await buildGateway({ store, config }), (app) => app.close());
    await gateway.listen({ host: '127.0.0.1', port: 0 });
    ({ secret } = await store.apiKeys.create('main', 'page', ['pixel:write']));
    // A site of another origin, with the script in its head.
    const { port } = gateway.server.address() as AddressInfo;
    const page = `<!doctype html><script>${EARLY}</script><script src="http://127.0.0.1:${port}/v1/pixel.js?k=${secret}"></script><p>film`;
    site = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(page));
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    stack.defer(() => void site.close());
    browser = stack.use(await openBrowser());
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const address = (): string => `http://localhost:${(site.address() as AddressInfo).port}/`;
  const isBeacon = (request: Request): boolean => /\/v1\/pixel(?:\.gif)?\?/.test(request.url());

  async function open(): Promise<{ page: Page; beacons: Request[] }> {
    const page = await browser.context.newPage();
    const beacons: Request[] = [];
    page.on('request', (request) => isBeacon(request) && beacons.push(request));
    await page.goto(address());
    return { page, beacons };
  }
  const call = (page: Page, ...args: unknown[]): Promise<void> => page.evaluate(`millrace(...${JSON.stringify(args)})`);
  const kept = (page: Page): Promise<number> => page.evaluate('localStorage.length');
  async function types(): Promise<string[]> {
    const all: string[] = [];
    for await (const { rows, type } of services.store.events.all('main'))
      for (let row = 0; row < rows; row++) all.push(EVENT_TYPES[type[row]!]!);
    return all.sort();
  }
  const quiet = async (page: Page): Promise<void> => {
    await page.close();
    await browser.context.clearCookies();
  };

  it('stores and sends nothing before consent, then what happens after it, once, also when the first try fails', async () => {
    const { page, beacons } = await open();
    await call(page, 'track', 'click', { item: 'before' });
    expect(await kept(page)).toBe(0);
    let failures = 0;
    await page.route(/\/v1\/pixel\?/, (route) => (failures++ === 0 ? route.abort() : route.continue()));
    const answered = page.waitForResponse(
      (answer) => isBeacon(answer.request()) && answer.request().postData()!.includes('v2'),
    );
    await call(page, 'consent', ['recommendation'], { receipt: 'r-1' });
    await call(page, 'track', 'view', { item: 'v1', value: 80 });
    await call(page, 'track', 'like', { item: 'v2' });
    expect((await answered).status()).toBe(204);
    expect(failures).toBeGreaterThan(1);
    expect(beacons.some((request) => request.postData()?.includes('before'))).toBe(false);
    await expect.poll(types, { timeout: 20_000 }).toEqual(['like', 'view']);

    const withdrawn = page.waitForResponse((answer) => answer.request().postData()?.includes('withdrawn') === true);
    await call(page, 'withdraw');
    expect((await withdrawn).status()).toBe(204);
    await expect.poll(() => kept(page)).toBe(0);
    const sent = beacons.length;
    await call(page, 'track', 'click', { item: 'after' });
    expect(await kept(page)).toBe(0);
    expect(beacons).toHaveLength(sent);
    await quiet(page);
  });

  it('does nothing under Global Privacy Control, whatever the page calls', async () => {
    const page = await browser.context.newPage();
    const beacons: Request[] = [];
    page.on('request', (request) => isBeacon(request) && beacons.push(request));
    await page.addInitScript(() => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true }));
    await page.goto(address());
    await call(page, 'consent', ['recommendation']);
    await call(page, 'track', 'click', { item: 'v1' });
    expect(await kept(page)).toBe(0);
    await page.close();
    expect(beacons).toEqual([]);
  });
});
