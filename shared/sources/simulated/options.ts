/** Owns what can be set about a simulated platform, with its limits and defaults. */
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import { BOT_FAMILIES, LOUD_BOT_FAMILIES } from './bot-families.ts';

export const DAY_MS = 86_400_000;

const optionsSchema = z
  .strictObject({
    /** Accounts, bots included. */
    people: z.int().min(10).max(1_000_000).default(2_000),
    videos: z.int().min(20).max(1_000_000).default(5_000),
    /** Length of the log in days. */
    days: z.int().min(1).max(400).default(30),
    /** Aimed at, not exact: the log ends within about a tenth of it (with at least 100 people and 3 days). */
    events: z.int().min(100).max(200_000_000).default(400_000),
    /** Share of people and of creators outside the majority culture. */
    minorityShare: z.number().min(0).max(1).default(0.2),
    /** Share of accounts that are bots. */
    botShare: z.number().min(0).max(0.5).default(0.02),
    /** Families that the bots are of, in turn. */
    botFamilies: z
      .array(z.enum(BOT_FAMILIES))
      .min(1)
      .max(BOT_FAMILIES.length)
      .default([...LOUD_BOT_FAMILIES]),
    /** How much busier a bot is than a person, on average. */
    botActivity: z.number().min(0.1).max(100).default(4),
    /** Accounts that work together. */
    ringSize: z.int().min(2).max(100_000).default(4),
    seed: z.int().min(0).max(0xffff_ffff).default(7),
    /** First instant of the log, ISO 8601 UTC; the default is fixed so that the bytes are. */
    start: z.iso.datetime().default('2025-10-01T00:00:00.000Z'),
  })
  .prefault({});

/** What a caller may set; everything has a default. */
export type SimulationOptions = z.input<typeof optionsSchema>;
/** Options with every default filled in. */
export type SimulationSettings = z.output<typeof optionsSchema>;

/** Fills in the defaults. Throws INPUT_INVALID with `details.issues` = [{ path, message }]. */
export function parseSimulationOptions(options: SimulationOptions = {}): SimulationSettings {
  const parsed = optionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  throw new AppError('INPUT_INVALID', {
    message: `The options of the simulation are not valid: ${issues.map((i) => `${i.path}: ${i.message}`).join('; ')}.`,
    details: { issues },
  });
}
