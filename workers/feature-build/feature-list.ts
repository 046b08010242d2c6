/** Owns the names of behaviour features in the order of their columns, and the numbers that person features are made with. */
import { type FeatureOf, featuresOfView } from '../../shared/numerics/features/registry.ts';

export const FEATURES = featuresOfView('behaviour');
export type Feature = FeatureOf<'behaviour'>;

/** In the order of their features, which follow one another. */
export const DEVICE_SHARES = ['phone', 'tablet', 'desktop', 'tv'] as const;

/** Acts further apart than this belong to different sessions, unless their source says that it is one. */
export const SESSION_GAP_MS = 30 * 60_000;
export const NIGHT_END_HOUR = 5;
