/** A search over several rounds, on a real worker, from the command line; and a training that takes what it found. */
import { expect, test } from 'vitest';
import { loadPlatformInto } from '../../workers/conformance/platform.ts';
import { asUser, TIMEOUT_MS } from './as-a-user.ts';

test(
  'tune halves its trials round by round, and the next refresh takes what it chose',
  async () => {
    await using user = await asUser();
    const { store } = user.services;
    await loadPlatformInto(store);
    await user.worker();
    const asked = ['--trials', '6', '--rounds', '2', '--parallel', '3'];
    const { run, chosen } = await user.json<{ run: string; chosen: Record<string, unknown> }>('tune', 'ials', ...asked);
    expect(chosen).toMatchObject({ model: 'ials', tried: 8, params: { epochs: 12 } });
    const { steps } = (await store.pipelineRuns.read(run))!;
    const outputs = await Promise.all(
      Object.entries(steps)
        .filter(([name]) => name.startsWith('search[1]/trials['))
        .map(async ([, { runKey }]) => (await store.ledger.read(runKey!))!.output as { trial: { ndcg: number } }),
    );
    expect(outputs).toHaveLength(2);
    expect(chosen['ndcg']).toBe(Math.max(...outputs.map(({ trial }) => trial.ndcg)));
    expect(Object.keys(steps).filter((name) => name.startsWith('search[0]/trials['))).toHaveLength(6);

    await user.json('run', 'refresh', '--wait');
    const live = await store.releases.live('main');
    const { meta } = await store.versions.read('main', live!.embeddings!);
    expect(meta).toMatchObject({
      tuning: chosen['runKey'],
      params: { strength: (chosen['params'] as never)['strength'] },
    });
    expect((await user.millrace('tune', 'ease')).stderr).toContain('MODEL_UNKNOWN');
  },
  TIMEOUT_MS,
);
