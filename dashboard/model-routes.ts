/** Owns the pages of models. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { channelsOf, MODELS_LISTED_MAX, modelCard, readCardSources, readChannels } from '../shared/store/model-card.ts';
import type { Markup } from './html.ts';
import type { OverviewSources } from './overview/read.ts';
import type { Frame } from './pages/layout.ts';
import { modelPage, modelsPage } from './pages/model-page.ts';

type Show = (request: FastifyRequest, reply: FastifyReply, frame: Frame, main: Markup) => FastifyReply;

export function registerModels(app: FastifyInstance, { now, store, tenant }: OverviewSources, show: Show): void {
  const looking = { config: { permission: 'releases:read' } } as const;
  app.get('/models', looking, async (request, reply) => {
    const channels = await readChannels(store, tenant);
    const versions = await store.versions.latest(tenant, 'embeddings', MODELS_LISTED_MAX);
    const models = versions.map((found) => ({ found, channels: channelsOf(found.version, channels) }));
    return show(request, reply, { title: 'Models', here: 'release' }, modelsPage(models, now()));
  });

  app.get<{ Params: { version: string } }>('/models/:version', looking, async (request, reply) => {
    const sources = await readCardSources(store, tenant, request.params.version);
    const card = modelCard(sources);
    const main = modelPage(card, sources.embeddings.runKey);
    return show(request, reply, { title: `Model ${card.version}`, here: 'release' }, main);
  });
}
