/**
 * Owns which models jobs may train: those whose result is a product of factors, which is what candidate-generation ranks by. Those that score by items'
 * neighbours or a spectrum (ease, graph-filter, item-knn), and those that blend others, have none.
 */
export const EMBEDDING_MODELS = [
  'ials',
  'two-tower',
  'bpr',
  'warp',
  'item2vec',
  'proto-mf',
  'autoencoder',
  'sequence',
] as const;
