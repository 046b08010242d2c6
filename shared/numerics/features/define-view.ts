/** Owns what a feature view must declare before anything of it is made: of what, under which version, and how far one source may move it. */
import type { EventType } from '../../contract-kit/event.ts';

export const FEATURE_KINDS = {
  count: 'ln(1 + a number of things)',
  share: '0 to 1',
  mean: 'an average, in the unit of what is averaged',
  days: 'days',
  entropy: 'bits',
  cycle: 'one coordinate of a place on a circle, -1 to 1',
  flag: '0 or 1',
  position: 'a place in a network',
  coordinate: 'one coordinate of a vector; means nothing by itself, and nothing in another version',
} as const;
export type FeatureKind = keyof typeof FEATURE_KINDS;

export interface FeatureDeclaration {
  readonly kind: FeatureKind;
  /** What it is, in words. */
  readonly says: string;
  /**
   * `source`: summed source by source, and no source counts for more than its declared share. `none`: what sources say cannot be parted (a
   * day is a day, whoever saw it), or it is not about amounts.
   */
  readonly cap: 'source' | 'none';
}

export interface ViewDeclaration {
  /** Raised when a feature changes its meaning; kept with every version of the view. */
  readonly version: number;
  readonly title: string;
  readonly needs: {
    /** Of which events it is made; `acts`: of all but impressions. */
    readonly events: 'acts' | readonly EventType[];
    /** What is read beside events. */
    readonly reads: readonly ('catalogue' | 'profiles' | 'texts')[];
  };
  readonly features: Readonly<Record<string, FeatureDeclaration>>;
}

export const defineView = <const V extends ViewDeclaration>(view: V): V => view;
