/** Owns what people write as features: a coordinator of the pass over texts. Words of topics are told only where at least five people use them. */
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { SENTIMENT_VERSION } from '../../shared/numerics/text/sentiment.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import { sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import { sharesOf } from '../../shared/sources/registry.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { FeatureEvents } from './features.task.ts';
import { NOBODY, type OwnShape } from './network-view.ts';
import type { TextFigures, TextRequest } from './text.task.ts';
import type { Written } from './texts.ts';

const TASKS = new URL('./text.task.ts', import.meta.url).href;

export interface TextViewRequest {
  readonly events: FeatureEvents;
  readonly asOf: number;
  readonly seed: number;
  /** Absent: nobody wrote anything. */
  readonly written?: Written;
}

const NOTHING: Written = { subjects: [], texts: [] };

export async function buildTextView(
  { events, asOf, seed, written }: TextViewRequest,
  { pool, signal }: RunContext,
): Promise<OwnShape> {
  const kept = [...featuresOfView('text').keys()];
  const { subjects, texts } = written ?? NOTHING;
  if (subjects.length === 0) return { ...NOBODY, kept };
  const payload: TextRequest = { people: texts, shares: sharesOf(events.sourceNames), asOf, seed };
  const tasks = [{ module: TASKS, name: 'figureTexts', payload }];
  const [figures] = await pool.runPhase<TextFigures>(tasks, signal);
  const keys = sharedBytes(subjects.length * KEY_BYTES);
  for (const [row, s] of subjects.entries())
    keys.set(events.runs.keys.subarray(s * KEY_BYTES, (s + 1) * KEY_BYTES), row * KEY_BYTES);
  const { matrix, topics } = figures!;
  return {
    rows: subjects.length,
    kept,
    subjects: keys,
    matrix,
    facts: { topics, sentimentVersion: SENTIMENT_VERSION },
  };
}
