// @ts-check
/** Owns what Ctrl-C and its kin mean: never an end on the spot, always a way through the clean-up. */
import { constants } from 'node:os';

/** @type {NodeJS.Signals[]} */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Calls LISTENER on every signal that asks us to stop, until released.
 * @param {(signal: NodeJS.Signals) => void} listener
 * @returns {() => void} release
 */
export function onStopSignals(listener) {
  for (const signal of STOP_SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, listener);
  };
}

/**
 * The exit code that shells give to a process ended by a signal.
 * @param {NodeJS.Signals | null} signal
 */
export function signalExitCode(signal) {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
