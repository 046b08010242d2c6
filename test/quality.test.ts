/** Real people are not taken for bots: nobody tuned anything on them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inlinePool } from '../shared/compute/pool.ts';
import { detect } from '../shared/numerics/quality/detect.ts';
import { filmLovers } from './bench/quality/people.ts';
import { TEST_DATA } from './end-to-end/as-a-user.ts';

const ml100k = join(TEST_DATA, 'ml-100k');

test.skipIf(!existsSync(ml100k))(
  'of those who rated the films of MovieLens 100K, fewer than one in a hundred',
  async () => {
    await using pool = inlinePool();
    const { acts, items, bot } = await filmLovers(ml100k);
    expect(bot.length).toBeGreaterThan(900);
    const { verdicts } = await detect({ acts, items, ratingMax: 5 }, { pool });
    expect(verdicts.length / bot.length).toBeLessThanOrEqual(0.01);
  },
);
