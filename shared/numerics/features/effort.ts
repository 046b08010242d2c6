/**
 * Owns how much of a person an act takes: the one versioned table of engagement intensity. It says nothing of liking (that is the
 * interaction table's): to write an angry comment is as much effort as to write a kind one.
 */
import { EVENT_TYPES, type EventType } from '../../contract-kit/event.ts';

/** Raised whenever a row below changes its meaning; kept with every version of a view that reads it. */
export const EFFORT_TABLE_VERSION = 1;

/** Effort of one act. A view is worth what was watched of it. */
export const EFFORT_TABLE: Readonly<Record<EventType, number>> = {
  impression: 0,
  skip: 0.1,
  click: 0.5,
  view: 1,
  search: 1,
  like: 1.5,
  thumb: 1.5,
  'not-interested': 1.5,
  rating: 1.5,
  follow: 2,
  save: 2,
  survey: 2,
  share: 2.5,
  comment: 3,
  purchase: 4,
  convert: 4,
};

/** By code of the event type. */
export const EFFORTS: Float64Array = Float64Array.from(EVENT_TYPES, (type) => EFFORT_TABLE[type]);
