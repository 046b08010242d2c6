/** Owns what the rest of the project may use of the simulated platform. */
export type { LoggedEvent } from './log.ts';
export { parseSimulationOptions, type SimulationOptions, type SimulationSettings } from './options.ts';
export { BOT_FAMILIES, type BotFamily } from './bot-families.ts';
export { type CreatorRecord, describe } from './records.ts';
export { SIMULATED_SOURCE, type Simulation, type SocialTie, simulate } from './simulate.ts';
export type { ItemTruth, PersonTruth, SimulationTruth, SituationTruth } from './truth.ts';
export { type WrittenCounts, writeSimulation } from './write.ts';
