/** Owns the worker processes of a chaos run: starts them, strikes them, starts them again, and times how soon their jobs are run again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { WorkerMessage } from './points.ts';

const RESPAWN_MS = 200;
const STDERR_CHARS_MAX = 4_000;

interface Member {
  readonly child: ChildProcess;
  /** Jobs that it has begun and not ended. */
  readonly held: Set<string>;
  isReady: boolean;
  isFrozen: boolean;
}

export interface FleetCounts {
  kills: number;
  freezes: number;
  /** Processes that ended by themselves after they had been ready. */
  crashes: number;
}

export interface FleetOptions {
  readonly entry: URL;
  readonly argument: unknown;
  readonly size: number;
  /** For V8's compile cache: processes start often here. */
  readonly folder: string;
}

export class Fleet implements AsyncDisposable {
  readonly counts: FleetCounts = { kills: 0, freezes: 0, crashes: 0 };
  /** From the end of a killed process to the next start of a job that it held, ms. */
  readonly recoveriesMs: number[] = [];
  stderr = '';
  readonly #options: FleetOptions;
  readonly #members: (Member | undefined)[];
  readonly #orphans = new Map<string, number>();
  readonly #ready: (() => void)[] = [];
  /** Kept out of the recovery times: jobs that could not start for another reason. */
  #disturbedAt = 0;
  #isClosing = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#members = Array.from({ length: options.size }, () => undefined);
    for (let slot = 0; slot < options.size; slot++) this.#spawn(slot);
  }

  /** Resolves once all have been ready at the same time. */
  async ready(): Promise<void> {
    while (!this.#members.every((member) => member?.isReady === true))
      await new Promise<void>((resolve) => this.#ready.push(resolve));
  }

  /** A server was disturbed: what is orphaned now, or soon, does not show how fast Millrace is. */
  disturb(): void {
    this.#disturbedAt = performance.now();
    this.#orphans.clear();
  }

  kill(pick: number): void {
    this.#pick(pick)?.child.kill('SIGKILL');
  }

  freeze(pick: number, ms: number): void {
    const member = this.#pick(pick);
    if (member === undefined) return;
    member.child.kill('SIGSTOP');
    this.#frozen(member, ms);
  }

  get frozen(): number {
    return this.#members.filter((member) => member?.isFrozen === true).length;
  }

  #frozen(member: Member, ms: number): void {
    member.isFrozen = true;
    this.counts.freezes++;
    setTimeout(() => {
      member.isFrozen = false;
      member.child.kill('SIGCONT');
    }, ms);
  }

  /** One that is at work; a frozen one is left alone. */
  #pick(pick: number): Member | undefined {
    const awake = this.#members.filter((member) => member?.isReady === true && !member.isFrozen);
    return awake[Math.floor(pick * awake.length)];
  }

  #spawn(slot: number): void {
    const { entry, argument, folder } = this.#options;
    const child = spawn(process.execPath, [entry.pathname, JSON.stringify(argument)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: folder },
    });
    const member: Member = { child, held: new Set(), isReady: false, isFrozen: false };
    this.#members[slot] = member;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_CHARS_MAX);
    });
    child.on('message', (message) => this.#hear(member, message as WorkerMessage));
    child.on('exit', (_code, signal) => {
      this.#members[slot] = undefined;
      this.#ended(member, signal);
      if (!this.#isClosing) setTimeout(() => this.#isClosing || this.#spawn(slot), RESPAWN_MS);
    });
  }

  #ended({ held, isReady }: Member, signal: NodeJS.Signals | null): void {
    if (this.#isClosing) return;
    if (signal !== 'SIGKILL') {
      if (isReady) this.counts.crashes++;
      return;
    }
    this.counts.kills++;
    for (const id of held) this.#orphans.set(id, performance.now());
  }

  #hear(member: Member, message: WorkerMessage): void {
    if (message.type === 'ready') {
      member.isReady = true;
      for (const resolve of this.#ready.splice(0)) resolve();
    } else if (message.type === 'blow') {
      if (message.kind === 'freeze') this.#frozen(member, message.ms);
    } else if (message.type === 'ended') member.held.delete(message.id);
    else {
      member.held.add(message.id);
      const orphanedAt = this.#orphans.get(message.id);
      if (orphanedAt === undefined) return;
      this.#orphans.delete(message.id);
      if (orphanedAt - this.#disturbedAt > 15_000 || this.#disturbedAt === 0)
        this.recoveriesMs.push(performance.now() - orphanedAt);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    const ends = this.#members.map(async (member) => {
      if (member === undefined) return;
      const ended = once(member.child, 'exit');
      member.child.kill('SIGKILL');
      await Promise.race([ended, pause(5_000)]);
    });
    await Promise.all(ends);
  }
}
