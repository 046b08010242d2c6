/**
 * Owns what is kept of a window of an accelerometer: how somebody was moving, and three figures. The samples themselves could tell who walks
 * there, or what is typed, and go no further.
 */
export interface MotionWindow {
  /** Samples a second. */
  readonly hz: number;
  /** In units of standard gravity, one entry a sample. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly z: readonly number[];
}

export const MOTIONS = ['still', 'walking', 'running', 'riding'] as const;
export type Motion = (typeof MOTIONS)[number];

export interface MotionSummary {
  readonly motion: Motion;
  readonly seconds: number;
  /** Standard deviation of the strength of acceleration, g, to two places. */
  readonly sway: number;
  /** How often a second the strength rises through its mean, to one place. */
  readonly steps: number;
}

/** Below it a phone lies, or is held. */
const STILL_G = 0.03;
/** People step 1.2 to 2.6 times a second when they walk, up to 4 times when they run, which shakes a phone by half a g and more. */
const STEPS_MIN = 1.2;
const STEPS_MAX = 4.2;
const WALKING_G = 0.08;
const RUNNING_G = 0.45;
/** A rise counts once the strength has been this share of the deviation below its mean: noise around the mean is no step. */
const DIP = 0.3;

const rounded = (value: number, places: number): number => Math.round(value * 10 ** places) / 10 ** places;

function motionOf(sway: number, steps: number): Motion {
  if (sway < STILL_G) return 'still';
  const isOnFoot = steps >= STEPS_MIN && steps <= STEPS_MAX && sway >= WALKING_G;
  if (!isOnFoot) return 'riding';
  return sway >= RUNNING_G ? 'running' : 'walking';
}

/** Rises of the strength through its mean, from well below it. */
function risesOf(strength: Float64Array, mean: number, sway: number): number {
  let rises = 0;
  let below = false;
  for (const one of strength) {
    if (one < mean - DIP * sway) below = true;
    else if (below && one > mean + DIP * sway) {
      rises += 1;
      below = false;
    }
  }
  return rises;
}

/** O(samples). The window must have samples, and as many of each axis. */
export function summaryOf({ hz, x, y, z }: MotionWindow): MotionSummary {
  const strength = Float64Array.from(x, (one, n) => Math.hypot(one, y[n]!, z[n]!));
  const mean = strength.reduce((sum, one) => sum + one, 0) / strength.length;
  const sway = Math.sqrt(strength.reduce((sum, one) => sum + (one - mean) ** 2, 0) / strength.length);
  const seconds = strength.length / hz;
  const steps = sway < STILL_G ? 0 : risesOf(strength, mean, sway) / seconds;
  return {
    motion: motionOf(sway, steps),
    seconds: rounded(seconds, 1),
    sway: rounded(sway, 2),
    steps: rounded(steps, 1),
  };
}
