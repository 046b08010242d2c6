/** Owns what the rest of the project may use of the social source. */
export { type ActivityStreamFiles, openActivityStreams, type PlacedRecord } from './read.ts';
export { recordsOf, type SocialRecord } from './records.ts';
export { activityStreams } from './source.ts';
