/** The table of features: what is declared is whole, told in the docs, and infers nothing that must not be. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { FEATURE_VIEWS } from '../../contract-kit/feature-views.ts';
import { sensitiveInferenceOf } from '../../governance/sensitive-inferences.ts';
import type { ViewDeclaration } from './define-view.ts';
import { EFFORT_TABLE } from './effort.ts';
import { featuresOfView, VIEWS } from './registry.ts';
import { GRAPH_DIMENSIONS } from './views/graph.ts';
import { TOPICS } from './views/text.ts';

const views: readonly (readonly [string, ViewDeclaration])[] = Object.entries(VIEWS);
const page = readFileSync(new URL('../../../docs/features.md', import.meta.url), 'utf8');

test('every view is declared and in the docs, of events that there are', () => {
  expect(views.map(([name]) => name)).toEqual([...FEATURE_VIEWS]);
  for (const [name, { needs, version }] of views) {
    expect(page).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, 'm'));
    expect(version).toBeGreaterThanOrEqual(1);
    expect(needs.events === 'acts' || needs.events.every((type) => EVENT_TYPES.includes(type))).toBe(true);
  }
});

test('no feature is about what must not be inferred', () => {
  const words = views.flatMap(([view, { features }]) =>
    Object.entries(features).flatMap(([name, { says }]) => [view, name, ...says.split(/[^A-Za-z]+/)]),
  );
  expect(words.filter((word) => sensitiveInferenceOf(word) !== undefined)).toEqual([]);
});

test('there are as many columns as the views say, and every act takes some effort', () => {
  expect(featuresOfView('graph')).toHaveLength(GRAPH_DIMENSIONS);
  expect(featuresOfView('text').filter((name) => name.startsWith('topic'))).toHaveLength(TOPICS);
  const idle = EVENT_TYPES.filter((type) => EFFORT_TABLE[type] <= 0);
  expect(idle).toEqual(['impression']);
});
