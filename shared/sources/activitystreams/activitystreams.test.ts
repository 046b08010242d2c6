/** ActivityStreams documents as the W3C writes them, and as nobody should. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { openActivityStreams, recordsOf } from './index.ts';
import { plainText } from './vocabulary.ts';

const NOW = Date.UTC(2026, 0, 1);
const AT = '2015-02-10T15:04:55Z';
const CONTEXT = 'https://www.w3.org/ns/activitystreams';
const martin = 'http://www.test.example/martin';
const foo = 'http://example.org/foo';
const of = (document: unknown) => [...recordsOf(document, NOW)];
const like = (more: object = {}) => ({
  '@context': CONTEXT,
  type: 'Like',
  actor: martin,
  object: foo,
  published: AT,
  ...more,
});

describe('activities', () => {
  test('of each kind become the event that they mean', () => {
    const types = [
      'Like',
      'Announce',
      'Listen',
      'Dislike',
      'Ignore',
      'as:Like',
      `${CONTEXT}#Share`,
      ['Like', 'ext:Love'],
    ];
    const events = types
      .flatMap((type) => of(like({ type })))
      .map((record) => ('event' in record ? record.event : record));
    expect(events).toMatchObject([
      { type: 'like', user: martin, item: foo, occurredAt: Date.parse(AT) },
      { type: 'share' },
      { type: 'view', value: 100 },
      { type: 'thumb', value: -1 },
      { type: 'not-interested' },
      { type: 'like' },
      { type: 'share' },
      { type: 'like' },
    ]);
  });

  test('of following are ties between two people', () => {
    const follow = like({ type: 'Follow', object: { type: 'Person', id: 'acct:sally@example.org', name: 'Sally' } });
    expect(of(follow)).toMatchObject([{ event: { type: 'follow', user: martin, target: 'acct:sally@example.org' } }]);
    expect(of(follow)[0]).not.toHaveProperty('event.item');
  });

  test('of answering are comments, in plain words', () => {
    const note = {
      type: 'Note',
      content: '<p>Good &amp; <b>short</b><script>x()</script></p>',
      inReplyTo: { id: foo },
    };
    const create = like({ type: 'Create', object: note });
    expect(of(create)).toMatchObject([{ event: { type: 'comment', item: foo, text: 'Good & short' } }]);
    expect(of(like({ type: 'Create', object: { type: 'Note', content: 'hi' } }))).toMatchObject([
      { refused: { field: 'object.inReplyTo' } },
    ]);
  });

  test('of several actors and objects are several events without an id of their own', () => {
    const events = of(
      like({
        id: 'http://e.org/1',
        actor: [martin, 'http://e.org/b'],
        object: [foo, { href: 'http://e.org/x', type: 'Link' }],
      }),
    );
    expect(events).toHaveLength(4);
    expect(events.some((record) => 'event' in record && record.event.id !== undefined)).toBe(false);
    expect(of(like({ id: 'http://e.org/1' }))).toMatchObject([{ event: { id: 'http://e.org/1' } }]);
  });

  test('of watching say how much, where start, end and length are there', () => {
    const object = { type: 'Video', id: foo, duration: 'PT2M' };
    const view = like({ type: 'View', object, startTime: '2015-02-10T15:00:00Z', endTime: '2015-02-10T15:00:30Z' });
    expect(of(view)).toMatchObject([{ event: { type: 'view', value: 25 } }]);
  });

  test.each([
    ['another context', like({ '@context': 'https://schema.org' }), '@context'],
    ['no actor', like({ actor: undefined }), 'actor'],
    ['a name for an actor', like({ actor: 'martin' }), 'actor'],
    ['an object without id', like({ object: { type: 'Note' } }), 'object.id'],
    ['no time', like({ published: undefined }), 'published'],
    ['a time without offset', like({ published: '2015-02-10T15:04:55' }), 'published'],
    ['a time to come', like({ published: '2027-01-01T00:00:00Z' }), 'occurredAt'],
    ['a retraction', like({ type: 'Undo' }), 'type'],
    ['an id too long', like({ object: `http://e.org/${'x'.repeat(300)}` }), 'object'],
    ['a list', [like()], ''],
  ])('with %s are refused by field', (_what, document, field) => {
    expect(of(document)).toMatchObject([{ refused: { field } }]);
  });
});

test('profiles are people, objects with a name items, and collections what their members are', () => {
  const person = { type: 'Person', id: martin, preferredUsername: 'martin', nameMap: { en: 'Martin Smith' } };
  const video = {
    type: 'Video',
    id: foo,
    name: 'Foo',
    attributedTo: martin,
    tag: [{ type: 'Hashtag', name: '#cats' }],
    duration: 'PT90S',
  };
  const collection = {
    '@context': [CONTEXT, {}],
    type: 'OrderedCollection',
    orderedItems: [person, like({ object: video }), foo],
  };
  expect(of(collection)).toEqual([
    { person: { id: martin, name: 'Martin Smith', attributes: { handle: 'martin' } } },
    { item: { id: foo, title: 'Foo', creator: martin, topics: ['#cats'], durationMs: 90_000 } },
    { event: { type: 'like', user: martin, item: foo, occurredAt: Date.parse(AT) } },
    { refused: { code: 'EVENT_INVALID', field: 'items', reason: 'holds a reference: send the documents themselves' } },
  ]);
});

test('any JSON whatever is answered with records or refusals, never with an exception', () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(...EVENT_TYPES, 'Like', 'Create', 'Person', 'Collection', CONTEXT, martin, AT),
  );
  const names = [
    '@context',
    'type',
    'id',
    'actor',
    'object',
    'published',
    'items',
    'first',
    'inReplyTo',
    'content',
    'name',
    'tag',
  ];
  const document = fc.dictionary(
    fc.constantFrom(...names),
    fc.oneof(member, fc.dictionary(fc.constantFrom(...names), member)),
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), document), (value) => {
      for (const record of recordsOf(value, NOW)) expect(Object.keys(record)).toHaveLength(1);
    }),
    { numRuns: 2_000 },
  );
});

test('text is what a person reads, whatever the markup', () => {
  fc.assert(
    fc.property(fc.string(), (text) => !/<[^>]*>/.test(plainText(text).replaceAll(/[<>]/g, ''))),
    { numRuns: 500 },
  );
  expect(plainText('a &#x1F600; &unknown; &lt;b&gt; <br> c <unclosed')).toBe('a 😀 &unknown; <b> c');
});

test('a folder is read file by file, gzipped ones too, and a broken line stops nothing', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-social-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(
    join(dir, 'a.jsonl.gz'),
    gzipSync(`${JSON.stringify(like())}\n{broken\n\n${JSON.stringify(like({ type: 'Share' }))}\n`),
  );
  await writeFile(join(dir, 'b.json'), JSON.stringify({ type: 'Person', id: martin }));
  await writeFile(join(dir, 'notes.txt'), 'not read');
  const files = await openActivityStreams(dir, { nowMs: NOW });
  const seen: string[] = [];
  let bytes = 0;
  for await (const { file, line, record } of files.records((more) => (bytes += more)))
    seen.push(`${file} ${line} ${Object.keys(record)[0]}`);
  expect(seen).toEqual(['a.jsonl.gz 1 event', 'a.jsonl.gz 2 refused', 'a.jsonl.gz 4 event', 'b.json 1 person']);
  expect(bytes).toBe(files.sizeBytes);
  await expect(openActivityStreams(join(dir, 'none'), { nowMs: NOW })).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
  });
});
