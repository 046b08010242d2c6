/** Owns what a command is given to register itself. */
import type { Command } from 'commander';
import type { Session } from './session.ts';

export type Action = (session: Session) => Promise<void>;

export interface Cli {
  readonly program: Command;
  /** Wraps an action: session opened and closed, errors printed, exit code set. */
  readonly run: (command: Command, action: Action) => Promise<void>;
}
