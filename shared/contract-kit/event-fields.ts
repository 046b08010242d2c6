/** Owns what the fields of an event may hold: names and bounds, for the schema and for the check of ordinary events alike. */

/** Position in this list is the code stored in blocks: append only. */
export const EVENT_TYPES = [
  'impression', // shown; `position` is its place in the list, 1 = top
  'view', // watched; `value` is the percentage watched, 0..100
  'click',
  'search', // `text` is the query; no item
  'share',
  'like',
  'follow', // follows the creator of `item`, or the person in `target`
  'comment', // `text` is the comment
  'rating', // `value` as given, 0..10
  'thumb', // `value` is 1 (up) or -1 (down)
  'not-interested',
  'purchase', // `value` is the amount, >= 0
  'convert', // a delayed conversion caused by the item
  'save',
  'skip',
  'survey', // `value` 0..10; `text` is the free answer
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export const DEVICES = ['unknown', 'phone', 'tablet', 'desktop', 'tv', 'other'] as const;

export const ID_CHARS_MAX = 200;
export const TEXT_CHARS_MAX = 2000;
export const VALUE_MAX = 1e9;
export const POSITION_MAX = 65_535;
export const MS_MIN = Date.UTC(1970, 0, 1);
export const MS_MAX = Date.UTC(2200, 0, 1);

/** Every field that an event may have. */
export const EVENT_FIELDS = [
  'id',
  'type',
  'user',
  'item',
  'target',
  'value',
  'occurredAt',
  'recordedAt',
  'position',
  'session',
  'device',
  'requestId',
  'text',
] as const;
