/** Owns running many simulated worlds, one after the other, and what is told of them together. */
import { setImmediate as breathe } from 'node:timers/promises';
import type { AnyProcessor } from '../../workers/runtime/processor.ts';
import type { Violation } from './oracle.ts';
import type { PlantName } from './plants.ts';
import { World } from './world.ts';

const KINDS = [
  'ingestion',
  'feature-build',
  'segmentation',
  'embedding-training',
  'candidate-generation',
  'asking',
  'governance',
] as const;

export interface SimulationReport {
  readonly worlds: number;
  readonly executions: number;
  readonly runs: number;
  readonly judged: number;
  readonly events: Readonly<Record<string, number>>;
  /** With the seed of their world. */
  readonly violations: readonly (Violation & { readonly seed: number })[];
}

export interface SimulationOptions {
  readonly seed: number;
  readonly executions: number;
  readonly plant?: PlantName;
  /** Ends after the first world with a violation. */
  readonly isFirstEnough?: boolean;
  readonly onProgress?: (executions: number) => void;
}

async function processorsOf(): Promise<ReadonlyMap<string, AnyProcessor>> {
  const processors = new Map<string, AnyProcessor>();
  for (const kind of KINDS) {
    const module = (await import(`../../workers/${kind}/processor.ts`)) as { default: AnyProcessor };
    processors.set(kind, module.default);
  }
  return processors;
}

export async function simulateConsent(options: SimulationOptions): Promise<SimulationReport> {
  const { executions: wanted, plant = 'none', isFirstEnough = false, onProgress } = options;
  const processors = await processorsOf();
  let [worlds, executions, runs, judged] = [0, 0, 0, 0];
  const events: Record<string, number> = {};
  const violations: (Violation & { seed: number })[] = [];
  for (let seed = options.seed; executions < wanted; seed++) {
    const report = await new World(seed, processors, plant).run().catch((thrown: Error) => {
      throw new Error(`the world of seed ${seed}: ${thrown.message}`, { cause: thrown });
    });
    worlds += 1;
    executions += report.executions;
    runs += report.runs;
    judged += report.judged;
    for (const [name, count] of Object.entries(report.events)) events[name] = (events[name] ?? 0) + count;
    for (const violation of report.violations) violations.push({ ...violation, seed });
    onProgress?.(executions);
    if (isFirstEnough && violations.length > 0) break;
    await breathe();
  }
  return { worlds, executions, runs, judged, events, violations };
}

/** The last line is the verdict. */
export function tellConsent(seed: number, report: SimulationReport): string[] {
  const { worlds, executions, runs, judged, events, violations } = report;
  const happened = Object.entries(events).map(([name, count]) => `${count} ${name}`);
  return [
    `${worlds} worlds, ${runs} runs; ${happened.join(', ')}`,
    ...violations.slice(0, 20).map(({ seed: world, what, user, details, run, step }) => {
      return `VIOLATION: ${what}, ${user}, ${details}, by ${run} at moment ${step} of the world of seed ${world}`;
    }),
    `seed ${seed}: ${executions} executions, ${judged} signals judged, ${violations.length} without consent`,
  ];
}
