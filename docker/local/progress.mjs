// @ts-check
/**
 * Owns what a person sees while set-up works: one row a step; a bar that moves on a terminal, plain
 * lines (a new one per stage or quarter) where the output is a file or CI.
 */

const NAME_WIDTH = 20;
const BAR_WIDTH = 16;
const REDRAW_MS_MIN = 80;

/**
 * @typedef {object} Step
 * @property {(fraction: number, stage?: string) => void} update fraction done in 0..1
 * @property {(text: string) => void} note a lasting line under the step
 * @property {(text: string) => void} done the step's final row
 * @property {() => void} clear takes an unfinished row off the terminal
 */

/**
 * @param {string} name
 * @param {string} text
 */
const row = (name, text) => `  ${name.padEnd(NAME_WIDTH)}${text}\n`;

/** @param {number} ms */
export function spokenDuration(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/**
 * Opens a row. Nothing is printed until the step says something, so what is ready at once costs one line.
 * @param {string} name
 * @param {NodeJS.WriteStream} [stream]
 * @returns {Step}
 */
export function openStep(name, stream = process.stderr) {
  return stream.isTTY ? terminalStep(name, stream) : plainStep(name, stream);
}

/**
 * @param {string} name
 * @param {NodeJS.WriteStream} stream
 * @returns {Step}
 */
function terminalStep(name, stream) {
  let drawnAtMs = 0;
  let lastStage = '';
  const clear = () => void stream.write('\r\u001B[2K');
  return {
    clear,
    update(fraction, stage = lastStage) {
      const nowMs = Date.now();
      if (stage === lastStage && nowMs - drawnAtMs < REDRAW_MS_MIN) return;
      drawnAtMs = nowMs;
      lastStage = stage;
      const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
      const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${String(Math.floor(fraction * 100)).padStart(3)} %`;
      const line = `  ${name.padEnd(NAME_WIDTH)}${bar}  ${stage}`;
      stream.write(`\r\u001B[2K${line.slice(0, (stream.columns || 100) - 1)}`);
    },
    note(text) {
      clear();
      stream.write(row('', text));
    },
    done(text) {
      clear();
      stream.write(row(name, text));
    },
  };
}

/**
 * @param {string} name
 * @param {NodeJS.WriteStream} stream
 * @returns {Step}
 */
function plainStep(name, stream) {
  let lastStage = '';
  let lastQuarter = 0;
  return {
    clear: () => undefined,
    update(fraction, stage = lastStage) {
      const quarter = Math.floor(fraction * 4);
      if (stage === lastStage && quarter <= lastQuarter) return;
      lastStage = stage;
      lastQuarter = Math.max(quarter, lastQuarter);
      stream.write(row(name, `${String(Math.floor(fraction * 100)).padStart(3)} %  ${stage}`));
    },
    note: (text) => void stream.write(row('', text)),
    done: (text) => void stream.write(row(name, text)),
  };
}

/**
 * A step that says nothing: for callers that only want the effect.
 * @returns {Step}
 */
export function silentStep() {
  const nothing = () => undefined;
  return { update: nothing, note: nothing, done: nothing, clear: nothing };
}
