/** Owns what an audit's headline figures say, in a sentence for people who run the platform and have not read the papers. */
import type { AuditEntry } from './findings.ts';

const percent = (share: number): string => `${(share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0)} %`;
const figure = (value: number): string => value.toFixed(2);
const more = (share: number): string => `${percent(Math.abs(share))} ${share < 0 ? 'less' : 'more'}`;
const count = (value: number): string => new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format(value);

type Say = (value: number, entry: AuditEntry) => string;

/** What somebody turned out to want: later acts, or what the model was not shown. */
const wanted = ({ basis }: AuditEntry): string =>
  basis === 'published' ? 'what people took up afterwards' : 'what was held out from training';

const OVERALL: Readonly<Record<string, Say>> = {
  recall: (value, entry) => `Lists hold ${percent(value)} of ${wanted(entry)}.`,
  ndcg: (value, entry) => `Order of the lists, judged by ${wanted(entry)}: ${figure(value)} of 1 (NDCG).`,
  theil: (value) => `How unevenly good lists are spread over people: ${figure(value)} (Theil; 0 is even).`,
  averagePopularity: (value) => `A shown item is liked by ${count(value)} people on average.`,
  longTailShare: (value) => `${percent(value)} of what is shown comes from the long tail of little-liked items.`,
  deltaGap: (value) => `Shown items are ${more(value)} popular than what the same people like.`,
  coverage: (value) => `${percent(value)} of the catalogue is shown to somebody.`,
  gini: (value) => `How much attention goes to few items: ${figure(value)} (Gini; 0 is even, 1 is a single item).`,
  equityOfAttention: (value) =>
    `Distance between attention that items get and what they are wanted: ${figure(value)} (0 is fair, 2 the most).`,
};

/** The figure of each group, and how its ends are told. */
const ACROSS: Readonly<Record<string, { readonly of: string; readonly tell: (value: number) => string }>> = {
  demographicParityDifference: { of: 'share of people whose list holds anything they want', tell: percent },
  demographicParityRatio: { of: 'share of people whose list holds anything they want', tell: percent },
  equalOpportunityDifference: { of: 'chance that a wanted item is in the list', tell: percent },
  equalisedOddsDifference: { of: 'chance that an item, wanted or not, is in the list', tell: percent },
  recallDifference: { of: 'share of wanted items that lists hold', tell: percent },
  ndcgDifference: { of: 'quality of the order (NDCG)', tell: figure },
  deltaGapDifference: { of: 'how much more popular the shown is than the liked', tell: percent },
  calibrationDifference: { of: 'distance between topics shown and topics liked', tell: figure },
  exposureRatio: { of: 'exposure over share of the catalogue', tell: figure },
};
/** Figures where the groups shown beside them are of another measure: only the size is told. */
const SIZE_ONLY = new Set(['equalOpportunityDifference', 'equalisedOddsDifference']);

function across(entry: AuditEntry, value: number): string | undefined {
  const words = ACROSS[entry.metric];
  if (words === undefined) return undefined;
  const told = entry.groups.flatMap(({ group, value: own }) => (own === null ? [] : [{ group, own }]));
  const [lowest, highest] = [told.toSorted((a, b) => a.own - b.own)[0], told.toSorted((a, b) => b.own - a.own)[0]];
  const head = `${words.of.charAt(0).toUpperCase()}${words.of.slice(1)}, by ${entry.attribute}:`;
  const size = entry.metric.endsWith('Ratio') ? `ratio ${figure(value)}` : `difference ${words.tell(value)}`;
  if (lowest === undefined || highest === undefined || SIZE_ONLY.has(entry.metric)) return `${head} ${size}.`;
  const ends = `lowest ${lowest.group} ${words.tell(lowest.own)}, highest ${highest.group} ${words.tell(highest.own)}`;
  return `${head} ${ends}, ${size}.`;
}

/** One or two sentences: what was found, and whether to look closer. */
export function sentenceOf(entry: AuditEntry): string {
  if (entry.value === null) return `Not estimable: ${entry.reason ?? 'too few people'}.`;
  const say = OVERALL[entry.metric];
  const told = say === undefined || entry.attribute !== null ? across(entry, entry.value) : say(entry.value, entry);
  return `${told ?? `${entry.metric}: ${figure(entry.value)}.`}${entry.flagged ? ' Beyond its threshold: look closer.' : ''}`;
}
