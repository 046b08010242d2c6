/** Owns the list of what the kernel module exports; mirrored by KernelExports in ../../engine/exports.ts. */
export { gramChunk, gramReduce, invertGram, solveRows, solveScratchBytes } from './als';
export { assignClusters, clusterDistances, lowerDistances } from './clusters';
export { filterScores, filterScratchBytes } from './graph';
export { blockOrder, gramBlockRow, pivotScratchBytes, sweepPanel, sweepPivot, sweepUpdate } from './inverse';
export { itemNeighbours, neighbourScores } from './knn';
export { bprSweep, dealEntries, warpSweep } from './pairwise';
export { rankFactors, rankScores, rankScratchBytes } from './rank';
export { gramDouble, sparseProduct, transformRows } from './sparse';
export { countPairs, placePairs, placeStratum, sgnsScratchBytes, sgnsSweep, shuffleSequences } from './sgns';
export { walkGraph } from './walks';

/** First byte above the module's static data; memory laid out by others starts higher. */
export function staticEnd(): usize {
  return __heap_base;
}
