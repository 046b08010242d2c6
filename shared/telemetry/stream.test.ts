import { expect, test } from 'vitest';
import { openLog, type Log } from './log.ts';
import { logEvents } from './log-events.ts';
import { Telemetry } from './stream.ts';

const request = { server: 'gateway', method: 'GET', route: '/v1/jobs', status: 200, seconds: 0.1 };

test('every subscriber hears an event, whatever another one throws, until it unsubscribes', () => {
  const telemetry = new Telemetry();
  const heard: unknown[] = [];
  expect(telemetry.heard).toBe(false);
  const leaveBad = telemetry.subscribe(() => {
    throw new Error('a bad listener');
  });
  const leave = telemetry.subscribe((name, fields) => void heard.push([name, fields]));
  telemetry.emit('http.request', request);
  leave();
  telemetry.emit('http.request', request);
  expect(heard).toEqual([['http.request', request]]);
  expect(telemetry.heard).toBe(true);
  leaveBad();
  expect(telemetry.heard).toBe(false);
});

test('the number of subscribers is bounded', () => {
  const telemetry = new Telemetry();
  for (let n = 0; n < 16; n++) telemetry.subscribe(() => {});
  expect(() => telemetry.subscribe(() => {})).toThrow(/at most 16/);
});

test('without spans, work runs as it is', async () => {
  expect(await new Telemetry().within({ name: 'load' }, async () => 7)).toBe(7);
});

test('the log says each event at the level of the table', () => {
  const lines: unknown[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message]);
  const log: Log = { ...openLog('silent'), debug: at('debug'), info: at('info') };
  const telemetry = new Telemetry();
  telemetry.subscribe(logEvents(log));
  telemetry.emit('http.request', request);
  telemetry.emit('pipeline.ended', { pipeline: 'refresh', run: 'main.refresh.1', state: 'committed', seconds: 2 });
  expect(lines).toEqual([
    ['debug', { event: 'http.request', ...request }, 'a request was answered'],
    [
      'info',
      { event: 'pipeline.ended', pipeline: 'refresh', run: 'main.refresh.1', state: 'committed', seconds: 2 },
      'a pipeline run ended',
    ],
  ]);
});
