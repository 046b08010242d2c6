/**
 * Owns the TypeScript view of the kernel module (../kernels/assembly/index.ts). Every pointer is a byte offset into the shared
 * memory that the instance was made with; `width` is a multiple of 16 and rows are 64-byte aligned. The kernels do not check:
 * callers lay memory out with MemoryPlan and validate input first.
 */
export interface KernelExports {
  staticEnd(): number;
  gramChunk(y: number, from: number, to: number, width: number, out: number): void;
  gramReduce(
    chunks: number,
    count: number,
    scale: number,
    width: number,
    packed: number,
    from: number,
    to: number,
  ): void;
  solveScratchBytes(width: number): number;
  invertGram(packed: number, shift: number, width: number, work: number, inverse: number): void;
  solveRows(
    x: number,
    y: number,
    packed: number,
    inverse: number,
    width: number,
    indptr: number,
    indices: number,
    weights: number,
    regularisers: number,
    from: number,
    to: number,
    steps: number,
    scratch: number,
  ): void;
  rankScratchBytes(width: number, k: number): number;
  rankFactors(
    x: number,
    packed: number,
    n: number,
    width: number,
    from: number,
    to: number,
    userHashes: number,
    itemHashes: number,
    indptr: number,
    excluded: number,
    k: number,
    items: number,
    scores: number,
    scratch: number,
  ): void;
  rankScores(
    vector: number,
    n: number,
    user: number,
    userHash: number,
    itemHashes: number,
    indptr: number,
    excluded: number,
    k: number,
    items: number,
    scores: number,
    scratch: number,
  ): void;
  itemNeighbours(
    userPtr: number,
    userIdx: number,
    userVal: number,
    itemPtr: number,
    itemIdx: number,
    itemVal: number,
    norms: number,
    n: number,
    shrink: number,
    k: number,
    from: number,
    to: number,
    outItems: number,
    outValues: number,
    scratch: number,
  ): void;
  neighbourScores(
    indptr: number,
    indices: number,
    values: number,
    user: number,
    neighbours: number,
    similarities: number,
    k: number,
    n: number,
    out: number,
  ): void;
  blockOrder(): number;
  pivotScratchBytes(): number;
  /** `bytes` (here and below): 4 for a matrix of float32, 8 for float64. */
  gramBlockRow(
    bytes: number,
    userPtr: number,
    userIdx: number,
    userVal: number,
    itemPtr: number,
    itemIdx: number,
    itemVal: number,
    n: number,
    lambda: number,
    block: number,
    matrix: number,
    sums: number,
  ): void;
  /** 0, or 1 + the place in the block where the matrix is not positive definite. */
  sweepPivot(bytes: number, matrix: number, k: number, pivot: number, work: number): number;
  sweepPanel(
    bytes: number,
    matrix: number,
    k: number,
    i: number,
    pivot: number,
    weighted: number,
    packed: number,
    copy: number,
  ): void;
  sweepUpdate(bytes: number, matrix: number, k: number, i: number, weighted: number, packed: number): void;
  sparseProduct(
    indptr: number,
    indices: number,
    values: number,
    from: number,
    to: number,
    dense: number,
    denseStride: number,
    width: number,
    out: number,
    outStride: number,
  ): void;
  gramDouble(rows: number, from: number, to: number, width: number, out: number): void;
  transformRows(rows: number, from: number, to: number, width: number, packed: number, scratch: number): void;
  filterScratchBytes(users: number, items: number, width: number): number;
  filterScores(
    userPtr: number,
    indices: number,
    left: number,
    weights: number,
    scaled: number,
    itemPtr: number,
    itemIdx: number,
    itemScaled: number,
    users: number,
    items: number,
    a: number,
    b: number,
    width: number,
    local: number,
    from: number,
    to: number,
    out: number,
    outStride: number,
    scratch: number,
  ): void;
  assignClusters(
    points: number,
    from: number,
    to: number,
    width: number,
    centroids: number,
    count: number,
    labels: number,
    distances: number,
    sums: number,
  ): void;
  lowerDistances(points: number, from: number, to: number, width: number, centroid: number, distances: number): void;
  clusterDistances(
    points: number,
    n: number,
    width: number,
    point: number,
    labels: number,
    count: number,
    sums: number,
  ): void;
  /** `state` of the pairwise kernels: written by ../sgd/pairwise-layout.ts. */
  dealEntries(state: number, userBlock: number): void;
  bprSweep(state: number, userBlock: number, itemBlock: number): void;
  warpSweep(state: number, userBlock: number, itemBlock: number): void;
  /** `state` of the skip-gram kernels: written by ../sgd/sgns-layout.ts. */
  shuffleSequences(state: number, from: number, to: number): void;
  countPairs(state: number, from: number, to: number, strata: number): void;
  placePairs(state: number, from: number, to: number, strata: number): void;
  placeStratum(
    state: number,
    from: number,
    to: number,
    strata: number,
    centreBlock: number,
    contextBlock: number,
  ): number;
  sgnsScratchBytes(width: number, negatives: number): number;
  sgnsSweep(state: number, centreBlock: number, contextBlock: number, from: number, to: number, scratch: number): void;
  walkGraph(
    indptr: number,
    indices: number,
    thresholds: number,
    aliases: number,
    nodeHashes: number,
    nodes: number,
    seed: number,
    back: number,
    away: number,
    from: number,
    to: number,
    length: number,
    tokens: number,
  ): void;
}
