import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { openStep } from './progress.mjs';

function screen(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 90 });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => String(stream.read() ?? '') };
}

it('writes a new line per stage and quarter where nobody watches', () => {
  const { stream, text } = screen(false);
  const step = openStep('MongoDB', stream);
  for (let percent = 0; percent < 100; percent += 1) step.update(percent / 100, 'compiling');
  step.done('ready');
  const lines = text().trimEnd().split('\n');
  expect(
    lines.map((line) =>
      line
        .trim()
        .split(/\s{2,}/)
        .slice(1)
        .join(' '),
    ),
  ).toEqual(['0 % compiling', '25 % compiling', '50 % compiling', '75 % compiling', 'ready']);
  expect(lines.join('')).not.toContain('\u001B');
});

it('draws one bar in place on a terminal and replaces it by the final row', () => {
  const { stream, text } = screen(true);
  const step = openStep('MongoDB', stream);
  step.update(0.5, 'compiling');
  step.done('ready');
  const drawn = text();
  expect(drawn).toContain('[########........]  50 %  compiling');
  expect(drawn.endsWith('\r\u001B[2K  MongoDB             ready\n')).toBe(true);
  expect(drawn.split('\n')).toHaveLength(2);
});
