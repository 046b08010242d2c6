// @ts-check
/** Owns the counts of a test run, from vitest's JSON report. What failed outside any test counts as a failure too. */

/**
 * @param {string} text vitest's JSON report; empty when it wrote none
 * @param {number | null} exitCode of vitest; null when a signal ended it
 * @returns {{passed: number, failed: number, skipped: number}}
 */
export function countTests(text, exitCode) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const files = text === '' ? [] : JSON.parse(text).testResults;
  for (const { status, assertionResults } of files) {
    const failedBefore = counts.failed;
    for (const test of assertionResults) {
      if (test.status === 'passed') counts.passed += 1;
      else if (test.status === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    // A file that could not be imported, or whose set-up failed, has no failed test of its own.
    if (status === 'failed' && counts.failed === failedBefore) counts.failed += 1;
  }
  // Errors that no test caught, or no report at all.
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}
