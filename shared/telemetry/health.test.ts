import { expect, test, vi } from 'vitest';
import { Health } from './health.ts';

const WINDOW_MS = 1_000;

test('a service counts for one window after its last answer, however it keeps silent, and again once it answers', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  try {
    using health = new Health();
    let mood: 'answers' | 'refuses' | 'hangs' = 'answers';
    let asked = 0;
    const ask = async () => {
      asked += 1;
      if (mood === 'refuses') throw new Error('refused');
      if (mood === 'hangs') await new Promise(() => {});
    };
    health.watch({ name: 'redis', needed: 'live', windowMs: WINDOW_MS, ask });
    await vi.advanceTimersByTimeAsync(5 * WINDOW_MS);
    expect(health.live()).toMatchObject({ ok: true, checks: [{ name: 'redis', ok: true, ageMs: 0 }] });
    mood = 'refuses';
    await vi.advanceTimersByTimeAsync(WINDOW_MS);
    expect(health.live().ok).toBe(true);
    await vi.advanceTimersByTimeAsync(WINDOW_MS / 4);
    expect(health.live()).toMatchObject({ ok: false, checks: [{ ok: false, ageMs: 1_250, windowMs: WINDOW_MS }] });
    mood = 'answers';
    await vi.advanceTimersByTimeAsync(WINDOW_MS / 4);
    expect(health.live().ok).toBe(true);
    mood = 'hangs';
    const before = asked;
    await vi.advanceTimersByTimeAsync(5 * WINDOW_MS);
    expect(health.live().ok).toBe(false);
    expect(asked - before).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test('what a server needs to be ready does not make it dead, and starting and stopping are no work', () => {
  using health = new Health();
  let answeredAt = performance.now();
  health.watch({ name: 'store', needed: 'ready', windowMs: WINDOW_MS, answeredAt: () => answeredAt });
  expect([health.startup().ok, health.live().ok, health.ready().ok]).toEqual([false, true, false]);
  health.started();
  expect([health.startup().ok, health.live().ok, health.ready().ok]).toEqual([true, true, true]);
  answeredAt -= 2 * WINDOW_MS;
  expect([health.startup().ok, health.live().ok, health.ready().ok]).toEqual([true, true, false]);
  answeredAt = performance.now();
  health.stopping();
  expect([health.startup().ok, health.live().ok, health.ready().ok]).toEqual([true, true, false]);
});
