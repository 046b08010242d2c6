/** Owns the SDK as it is served. */
import { readFileSync } from 'node:fs';

export const mobileSdk = (): string => readFileSync(new URL('./sdk.js', import.meta.url), 'utf8');
