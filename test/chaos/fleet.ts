/** Owns the worker processes of a chaos run: starts them, strikes them, starts them again, and times how soon their jobs are run again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { HarnessMessage, WorkerMessage } from './points.ts';
import { Strikes, type StrikeTimes, type Target } from './strikes.ts';

const CLOCK_PRELOAD = new URL('./clock-preload.ts', import.meta.url).href;
const RESPAWN_MS = 200;
const STDERR_CHARS_MAX = 4_000;

/** One worker process. */
class Member implements Target {
  /** Jobs that it has begun and not ended. */
  readonly held = new Set<string>();
  isReady = false;
  isFrozen = false;
  /** Where it listens, if it does. */
  address: string | undefined;
  readonly #child: ChildProcess;
  readonly #thawed: () => void;

  constructor(child: ChildProcess, thawed: () => void) {
    this.#child = child;
    this.#thawed = thawed;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  freeze(): void {
    this.isFrozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    this.#child.kill('SIGCONT');
    this.#thawed();
  }

  go(n: number): void {
    this.send({ type: 'go', n });
  }

  send(message: HarnessMessage): void {
    if (this.#child.connected) this.#child.send(message, () => {}); // it may be dying
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.kill();
    await Promise.race([ended, pause(5_000)]);
  }
}

export interface FleetCounts {
  kills: number;
  freezes: number;
  /** Clocks that have been shifted in a process at work. */
  clockSteps: number;
  /** Processes that ended by themselves after they had been ready. */
  crashes: number;
}

export interface FleetOptions {
  readonly entry: URL;
  readonly argument: unknown;
  readonly size: number;
  /** For V8's compile cache: processes start often here. */
  readonly folder: string;
  readonly strikeTimes?: StrikeTimes | undefined;
}

export class Fleet implements AsyncDisposable {
  readonly counts: FleetCounts = { kills: 0, freezes: 0, clockSteps: 0, crashes: 0 };
  /** From the end of a killed process to the next start of a job that it held, ms. */
  readonly recoveriesMs: number[] = [];
  /** Jobs that BullMQ has acknowledged as completed, as the processes heard it. */
  readonly completed = new Set<string>();
  stderr = '';
  readonly strikes: Strikes;
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
    const targets = () => this.#members.filter((member) => member !== undefined);
    this.strikes = new Strikes(targets, options.strikeTimes);
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
    this.#pick(pick)?.kill();
  }

  freeze(pick: number, ms: number): void {
    const member = this.#pick(pick);
    if (member === undefined) return;
    member.freeze();
    this.counts.freezes++;
    setTimeout(() => member.thaw(), ms);
  }

  /** Shifts the clock of one process; 0 ends the shift. */
  stepClock(pick: number, shiftMs: number): void {
    this.#pick(pick)?.send({ type: 'clock', shiftMs });
  }

  /** All clocks are right again. */
  healClocks(): void {
    for (const member of this.#members) member?.send({ type: 'clock', shiftMs: 0 });
  }

  /** Where the first process listens; undefined: it is down, or does not listen. */
  get address(): string | undefined {
    return this.#members[0]?.address;
  }

  get frozen(): number {
    return this.#members.filter((member) => member?.isFrozen === true).length;
  }

  /** One that is at work; a frozen one is left alone. */
  #pick(pick: number): Member | undefined {
    const awake = this.#members.filter((member) => member?.isReady === true && !member.isFrozen);
    return awake[Math.floor(pick * awake.length)];
  }

  #spawn(slot: number): void {
    const { entry, argument, folder } = this.#options;
    const child = spawn(process.execPath, ['--import', CLOCK_PRELOAD, entry.pathname, JSON.stringify(argument)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: folder },
    });
    const member = new Member(child, () => this.strikes.changed());
    this.#members[slot] = member;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_CHARS_MAX);
    });
    child.on('message', (message) => this.#hear(member, message as WorkerMessage));
    child.on('exit', (_code, signal) => {
      this.#members[slot] = undefined;
      this.#ended(member, signal);
      this.strikes.gone(member);
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
      member.address = message.address;
      this.strikes.changed();
      for (const resolve of this.#ready.splice(0)) resolve();
    } else if (message.type === 'clock') this.counts.clockSteps++;
    else if (message.type === 'ended') {
      member.held.delete(message.id);
      this.strikes.ended(member, message.id);
    } else {
      if (message.at === 'completed') this.completed.add(message.id);
      if (message.at === 'loaded') this.#began(member, message.id);
      this.strikes.reached(member, message.n, message.id, message.at);
    }
  }

  #began(member: Member, id: string): void {
    member.held.add(id);
    const orphanedAt = this.#orphans.get(id);
    if (orphanedAt === undefined) return;
    this.#orphans.delete(id);
    if (orphanedAt - this.#disturbedAt > 15_000 || this.#disturbedAt === 0)
      this.recoveriesMs.push(performance.now() - orphanedAt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#members.map(async (member) => member?.end()));
  }
}
