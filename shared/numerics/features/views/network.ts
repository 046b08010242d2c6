/**
 * Owns the declaration of where people stand in the network of their ties. A tie is a `follow` of a person; it counts only where both allow
 * the use of its source, and who follows whom counts for both.
 */
import { defineView } from '../define-view.ts';

/** Nobody's place in a network is a sum that one source could swell: ties said by several sources are one tie. */
const whole = { cap: 'none' } as const;

export const network = defineView({
  version: 1,
  title: 'Where people stand in the network of their ties',
  needs: { events: ['follow'], reads: [] },
  features: {
    ties: { kind: 'count', ...whole, says: 'people tied to, whoever follows whom' },
    following: { kind: 'count', ...whole, says: 'people followed' },
    followers: { kind: 'count', ...whole, says: 'people who follow' },
    mutualShare: { kind: 'share', ...whole, says: 'of the ties, those that go both ways' },
    pageRank: { kind: 'position', ...whole, says: 'PageRank (damping .85) times the number of people: 1 is average' },
    closeness: { kind: 'position', ...whole, says: 'closeness, of Wasserman and Faust where not all are reached' },
    betweenness: { kind: 'position', ...whole, says: 'share of the shortest paths between others that lead through' },
    communityPeople: { kind: 'count', ...whole, says: 'people of the community (Louvain)' },
    communityShare: { kind: 'share', ...whole, says: 'of the ties, those within the community' },
  },
});
