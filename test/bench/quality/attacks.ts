/**
 * Owns attacks on what is recommended: fake accounts put beside the people of a platform until they make up a share of all acts. Each keeps the hours and
 * pauses of a person whom it copies, and hides its target among fillers (O'Mahony et al. 2004; Mobasher et al. 2007).
 */
import { type RandomStream, randomStream } from '../../../shared/random.ts';
import { emptyActs } from '../../../shared/numerics/quality/acts.ts';
import { codeOf, type World } from './world.ts';

const DAY_MS = 86_400_000;

export interface Attack {
  readonly title: string;
  /** What else the accounts like: anything; what everybody likes (bandwagon); what those like who like the target (segment). */
  readonly fillers: 'random' | 'popular' | 'segment';
  /** Share of an account's acts that are for the target. */
  readonly forTarget: number;
  /** Days over which the accounts come to their target; they copy the rest of their hours from people. */
  readonly withinDays: number;
}

/** A tenth of all acts. */
export const FAKE_SHARE = 0.1;

const [VIEW, LIKE, SHARE] = [codeOf('view'), codeOf('like'), codeOf('share')];

interface Act {
  item: number;
  type: number;
  value: number;
  at: number;
}

function actsOf({ acts }: World, account: number): Act[] {
  const own: Act[] = [];
  for (let n = acts.starts[account]!; n < acts.starts[account + 1]!; n++)
    own.push({ item: acts.item[n]!, type: acts.type[n]!, value: acts.value[n]!, at: acts.at[n]! });
  return own;
}

/** Items that an account may hide behind, each as often as it is to be drawn. */
function fillersOf(world: World, { fillers }: Attack, targets: readonly number[]): readonly number[] {
  if (fillers === 'random') return [...Array(world.items.items).keys()];
  const wanted = new Set(targets);
  const drawn: number[] = [];
  for (let account = 0; account < world.acts.accounts; account++) {
    const own = actsOf(world, account).filter(({ item }) => item >= 0 && !wanted.has(item));
    const isOfAudience = fillers === 'popular' || actsOf(world, account).some(({ item }) => wanted.has(item));
    if (isOfAudience) for (const { item } of own) drawn.push(item);
  }
  return drawn;
}

function fakeAccount(
  world: World,
  { forTarget, withinDays }: Attack,
  given: { readonly targets: readonly number[]; readonly fillers: readonly number[]; readonly begin: number },
  stream: RandomStream,
): Act[] {
  const copied = actsOf(world, stream.below(world.acts.accounts));
  return copied
    .map((act): Act => {
      const at = act.at + stream.below(3_600_000);
      if (stream.uniform() >= forTarget)
        return { ...act, item: given.fillers[stream.below(given.fillers.length)]!, at };
      const item = given.targets[stream.below(given.targets.length)]!;
      const type = [VIEW, LIKE, SHARE][stream.below(3)]!;
      const moved =
        given.begin + ((((at - given.begin) % (withinDays * DAY_MS)) + withinDays * DAY_MS) % (withinDays * DAY_MS));
      return { item, type, value: type === VIEW ? 85 + stream.below(16) : Number.NaN, at: moved };
    })
    .sort((a, b) => a.at - b.at);
}

/** The world with fake accounts behind its people, named `attack` as a family. */
export function attacked(world: World, attack: Attack, targets: readonly number[], seed: number): World {
  const stream = randomStream(seed, 'attack', attack.title);
  const fillers = fillersOf(world, attack, targets);
  const first = world.acts.at.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const given = { targets, fillers, begin: first + 10 * DAY_MS };
  const real = world.acts.starts[world.acts.accounts]!;
  const fakes: Act[][] = [];
  for (let fake = 0; fake / (fake + real) < FAKE_SHARE; ) {
    const own = fakeAccount(world, attack, given, stream);
    if (own.length === 0) continue;
    fakes.push(own);
    fake += own.length;
  }
  const people = Array.from({ length: world.acts.accounts }, (_, account) => actsOf(world, account));
  const all = [...people, ...fakes];
  const acts = emptyActs(
    all.length,
    all.reduce((sum, own) => sum + own.length, 0),
  );
  let n = 0;
  for (const [account, own] of all.entries()) {
    for (const act of own) {
      acts.item[n] = act.item;
      acts.type[n] = act.type;
      acts.value[n] = act.value;
      acts.at[n++] = act.at;
    }
    acts.starts[account + 1] = n;
  }
  const bot = [...world.bot, ...fakes.map(() => 'attack')];
  return { acts, items: world.items, bot, ring: bot.map(() => null) };
}
