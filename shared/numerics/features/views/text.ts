/** Owns the declaration of what people write: how kind it is, and what about. Of texts about items and answers to surveys; never of searches. */
import { defineView } from '../define-view.ts';

export const TOPICS = 8;
/** Half-life of kindness, days. */
export const TEXT_DAYS = 90;

const perSource = { cap: 'source' } as const;
const topic = {
  kind: 'coordinate',
  cap: 'none',
  says: "share of the person's words; the version's facts say of which words the topic is",
} as const;

export const text = defineView({
  version: 1,
  title: 'What people write: how kind it is, and what about',
  needs: { events: ['comment', 'survey', 'rating', 'thumb', 'like', 'not-interested'], reads: ['texts'] },
  features: {
    texts: { kind: 'count', ...perSource, says: 'texts written' },
    readShare: { kind: 'share', ...perSource, says: 'texts that are clearly English; only these have a sentiment' },
    sentiment: {
      kind: 'mean',
      ...perSource,
      says: 'sentiment, -1 to 1, by a half-life of 90 days; no value where none is read',
    },
    kindShare: { kind: 'share', ...perSource, says: 'of the texts that are read, those that are kind; likewise' },
    unkindShare: { kind: 'share', ...perSource, says: 'likewise unkind' },
    topic1: topic,
    topic2: topic,
    topic3: topic,
    topic4: topic,
    topic5: topic,
    topic6: topic,
    topic7: topic,
    topic8: topic,
  },
});
