/** Owns the one table of features: every view with its version, what it is made of, and each feature with its kind and its cap. */
import type { FeatureView } from '../../contract-kit/feature-views.ts';
import type { ViewDeclaration } from './define-view.ts';
import { behaviour } from './views/behaviour.ts';
import { context } from './views/context.ts';
import { engagement } from './views/engagement.ts';
import { graph } from './views/graph.ts';
import { network } from './views/network.ts';
import { text } from './views/text.ts';

export const VIEWS = { behaviour, engagement, context, network, text, graph } as const satisfies Record<
  FeatureView,
  ViewDeclaration
>;

export type FeatureOf<V extends FeatureView> = keyof (typeof VIEWS)[V]['features'] & string;

/** In the order in which they are declared, which is that of columns. */
export const featuresOfView = <V extends FeatureView>(view: V): readonly FeatureOf<V>[] =>
  Object.keys(VIEWS[view].features) as FeatureOf<V>[];
