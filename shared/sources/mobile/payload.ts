/**
 * Owns the payload of mobile apps, and how an act of it becomes a canonical event: its place is made coarse and its motion summarised before
 * anything else happens. Both lie as text in the person's envelope, like everything that tells where somebody was.
 */
import { z } from 'zod';
import { DEVICES, ID_CHARS_MAX, MS_MAX, MS_MIN } from '../../contract-kit/event-fields.ts';
import { type MotionSummary, MOTIONS, summaryOf } from './motion.ts';
import { placeOf } from './place.ts';

/** Ten seconds at the 100 Hz that phones give. */
const SAMPLES_MAX = 1_000;
const HZ_MAX = 500;
/** What a phone can measure, with room. */
const G_MAX = 64;
const ACTS_MAX = 100;

const axis = z.array(z.number().min(-G_MAX).max(G_MAX)).min(1).max(SAMPLES_MAX);

const contextSchema = z.strictObject({
  place: z.strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) }).optional(),
  motion: z
    .strictObject({ hz: z.number().min(1).max(HZ_MAX), x: axis, y: axis, z: axis })
    .refine(({ x, y, z: up }) => x.length === y.length && y.length === up.length, 'the axes differ in length')
    .optional(),
  /** Minutes that the person's clock is ahead of UTC. */
  offsetMinutes: z.int().min(-840).max(840).optional(),
});

const id = z.string().min(1).max(ID_CHARS_MAX);

/** What the fields hold is checked with the event that it becomes; a field that no event has is refused before it goes anywhere. */
const field = z.unknown().optional();
const actSchema = z.strictObject({
  id,
  type: z.string(),
  occurredAt: z.int().min(MS_MIN).max(MS_MAX),
  item: field,
  value: field,
  position: field,
  session: field,
  requestId: field,
  text: field,
  context: contextSchema.optional(),
});
type Act = z.output<typeof actSchema>;
export const actsSchema = z.array(actSchema).max(ACTS_MAX);
export const deviceSchema = z.enum(DEVICES).optional();

const keptSchema = z.strictObject({
  place: z.string().optional(),
  hour: z.int().min(0).max(23).optional(),
  motion: z
    .strictObject({ motion: z.enum(MOTIONS), seconds: z.number(), sway: z.number(), steps: z.number() })
    .optional(),
});
/** What is kept of where, when by their own clock, and how moving somebody was. */
export interface KeptContext {
  /** Cell of the declared grid. */
  readonly place?: string | undefined;
  /** Hour of the person's own clock. */
  readonly hour?: number | undefined;
  readonly motion?: MotionSummary | undefined;
}

const MARK = 'mobile/1 ';
const HOUR_MS = 3600_000;
const MINUTE_MS = 60_000;

function contextText({ context, occurredAt }: Act): string | undefined {
  if (context === undefined) return undefined;
  const { place, motion, offsetMinutes } = context;
  const kept: KeptContext = {
    ...(place !== undefined && { place: placeOf(place) }),
    ...(offsetMinutes !== undefined && {
      hour: Math.floor((occurredAt + offsetMinutes * MINUTE_MS) / HOUR_MS) % 24,
    }),
    ...(motion !== undefined && { motion: summaryOf(motion) }),
  };
  return Object.keys(kept).length === 0 ? undefined : MARK + JSON.stringify(kept);
}

/** The context that a text holds; undefined where it holds somebody's words. */
export function contextOf(text: string): KeptContext | undefined {
  if (!text.startsWith(MARK)) return undefined;
  try {
    return keptSchema.parse(JSON.parse(text.slice(MARK.length)));
  } catch {
    return undefined; // somebody's words that begin like it
  }
}

/** The act as a canonical event, still to be checked. An act that has a text of its own, a search, keeps that and no context. */
export function eventOfAct(user: string, device: string | undefined, act: Act): Record<string, unknown> {
  const { context: _context, ...event } = act;
  const text = event.text ?? contextText(act);
  return {
    ...event,
    user,
    ...(device === undefined ? {} : { device }),
    ...(text === undefined ? {} : { text }),
  };
}
