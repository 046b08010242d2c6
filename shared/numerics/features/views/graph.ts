/**
 * Owns the declaration of coordinates of people in the network of their ties: who stands alike lies near. Learned anew for each version: a
 * coordinate means nothing by itself, and nothing beside that of another version.
 */
import { defineView, type FeatureDeclaration } from '../define-view.ts';

export const GRAPH_DIMENSIONS = 16;

const coordinate: FeatureDeclaration = {
  kind: 'coordinate',
  cap: 'none',
  says: 'of random walks along ties (node2vec)',
};

export const graph = defineView({
  version: 1,
  title: 'Coordinates of people in the network of their ties',
  needs: { events: ['follow'], reads: [] },
  features: Object.fromEntries(Array.from({ length: GRAPH_DIMENSIONS }, (_, n) => [`d${n + 1}`, coordinate])),
});
