/** How the one test suite runs: files in parallel, tests in shuffled order, no retries of flaky tests. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{jobs,workers,shared,dashboard,docker,test}/**/*.test.ts'],
    sequence: { shuffle: true },
    pool: 'forks',
    maxWorkers: 2,
    retry: 0,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
