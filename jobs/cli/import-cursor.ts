/**
 * Owns how far the import of a file has got: the line up to which everything is in the store, kept in the state folder, so that an import
 * that was killed goes on there. It names one content under one name; a file that has changed since is read from its start, and what
 * was in it already is known by its ids.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../shared/config.ts';

const cursorSchema = z.object({ line: z.int().min(0), identity: z.string() });

/** Events between two writes. */
const EVENTS_BETWEEN_WRITES = 5_000;

interface Mark {
  /** Events of the file up to here, in this run. */
  readonly events: number;
  readonly line: number;
  readonly bytes: number;
}

export class ImportCursor {
  readonly #path: string;
  readonly #identity: string;
  readonly #marks: Mark[] = [];
  #written = 0;
  /** Everything up to this line was stored by an earlier run. */
  readonly from: number;
  /** Bytes of the file that are known to be stored. */
  bytes = 0;

  constructor({ stateDir, database, tenant }: Config, file: string, source: string) {
    const { size, mtimeMs, ino } = statSync(file);
    const named = JSON.stringify([resolve(file), source, database, tenant]);
    this.#path = join(stateDir, 'imports', `${createHash('sha256').update(named).digest('hex').slice(0, 32)}.json`);
    this.#identity = JSON.stringify([size, mtimeMs, ino]);
    this.from = this.#read();
  }

  #read(): number {
    try {
      const { line, identity } = cursorSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      return identity === this.#identity ? line : 0;
    } catch {
      return 0; // none, or one that was cut off: reading from the start loses nothing
    }
  }

  /** Notes that the events handed out so far reach to this line. */
  mark(mark: Mark): void {
    this.#marks.push(mark);
  }

  /** Told how many events from the first are stored without a gap. */
  stored(events: number): void {
    let reached: Mark | undefined;
    while (this.#marks[0] !== undefined && this.#marks[0].events <= events) reached = this.#marks.shift();
    if (reached === undefined) return;
    this.bytes = reached.bytes;
    if (reached.events - this.#written < EVENTS_BETWEEN_WRITES) return;
    this.#written = reached.events;
    this.#write(reached.line);
  }

  #write(line: number): void {
    mkdirSync(join(this.#path, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#path}.new`, JSON.stringify({ line, identity: this.#identity }), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }

  /** The whole file is in: an import that is asked for again reads it again. */
  finish(): void {
    rmSync(this.#path, { force: true });
  }
}
