/** Facts about the declared sources. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import { sourceNameSchema } from '../contract-kit/names.ts';
import { MOVIELENS_SOURCE } from './movielens/index.ts';
import { defineSource } from './define-source.ts';
import { mappedEvent } from './mapping.ts';
import { nearestName } from './nearest-name.ts';
import {
  allowedPurposes,
  isExplicit,
  type SourceDeclaration,
  type SourceName,
  SOURCES,
  sourceDeclaration,
  sourceOf,
} from './registry.ts';
import { SIMULATED_SOURCE } from './simulated/index.ts';

describe('the registry of sources', () => {
  test('every source has a name of its own that the contracts accept', () => {
    const names = SOURCES.map((source) => source.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !sourceNameSchema.safeParse(name).success)).toEqual([]);
  });

  test('what counts as explicit can come from the source at all', () => {
    for (const source of SOURCES as readonly SourceDeclaration[])
      expect(source.eventTypes).toEqual(expect.arrayContaining([...source.explicit]));
  });

  test('the readers use declared names', () => {
    expect(sourceDeclaration(SIMULATED_SOURCE).reliability).toBe('synthetic');
    expect(sourceDeclaration(MOVIELENS_SOURCE).licence.redistribution).toBe(false);
    expectTypeOf<typeof SIMULATED_SOURCE>().toExtend<SourceName>();
  });

  test('data sets without consents of their own serve no measurement of the service', () => {
    const source = sourceDeclaration('movielens');
    expect(allowedPurposes(source)).toEqual(['recommendation', 'segmentation', 'audit']);
    expect(allowedPurposes(source, ['measurement', 'audit'])).toEqual(['audit']);
    expect(source.basis).toBe('dataset-licence');
  });

  test('a rating is explicit, a view is not', () => {
    expect(isExplicit(sourceDeclaration('web'), 'rating')).toBe(true);
    expect(isExplicit(sourceDeclaration('web'), 'view')).toBe(false);
  });

  test('an unknown source is NOT_FOUND with the nearest name', () => {
    expect(() => sourceDeclaration('movie-lens')).toThrow(/NOT_FOUND.*did you mean "movielens"/);
  });
});

describe('a declaration', () => {
  test('is refused at the start with every problem', () => {
    const wrong = {
      ...sourceDeclaration('web'),
      influenceMax: 0,
      retentionDays: 0,
      schemas: { 'a b': { fields: {} } },
    };
    expect(() => defineSource(wrong)).toThrow(/influenceMax.*retentionDays.*schema "a b"/);
  });

  test('of a name that nobody declared trusts little and lets every purpose be decided by the person', () => {
    const source = sourceOf('somebodys-feed');
    expect(source.reliability).toBe('reported');
    expect(source.influenceMax).toBeLessThan(sourceOf('web').influenceMax);
    expect(source.purposes).toEqual(sourceOf('web').purposes);
  });
});

describe('a mapping table', () => {
  const mapping = {
    fields: { kind: 'type', who: 'user', 'clip.id': 'item', stars: 'value', at: 'occurredAt', 'clip.title': '' },
    types: { star: 'rating' },
    value: { times: 2 },
    timeUnit: 's',
  } as const;

  test('renames members, translates words, scales values and turns seconds into milliseconds', () => {
    const record = { kind: 'star', who: 'ann', clip: { id: 'v1', title: 'x' }, stars: 4.5, at: 1_700_000_000 };
    const event = { type: 'rating', user: 'ann', item: 'v1', value: 9, occurredAt: 1_700_000_000_000 };
    expect(mappedEvent(record, mapping)).toEqual(event);
  });

  test('leaves what it does not name where it was, for the check to refuse', () => {
    expect(mappedEvent({ who: 'ann', mood: 'good' }, mapping)).toEqual({ user: 'ann', mood: 'good' });
    expect(mappedEvent(['not an object'], mapping)).toEqual(['not an object']);
  });
});

test('the nearest name forgives case, dashes and a slip', () => {
  expect(nearestName('Recorded_At', ['occurredAt', 'recordedAt'])).toBe('recordedAt');
  expect(nearestName('usr', ['item', 'user', 'id'])).toBe('user');
});
