/** Owns how the log hears the stream: one line an event, at the level that the table gives it. */
import { EVENTS } from './events.ts';
import type { Log } from './log.ts';
import type { Subscriber } from './stream.ts';

export function logEvents(log: Log): Subscriber {
  return (name, fields) => {
    const { level, says } = EVENTS[name];
    log[level]({ event: name, ...fields }, says);
  };
}
