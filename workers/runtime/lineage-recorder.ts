/**
 * Owns telling of runs as OpenLineage: events are kept before the ledger takes note that a run was followed, so a killed process leaves nothing untold,
 * and sent to the configured address as deliveries like those of webhooks. No job waits for the address.
 *
 * Order: the end of a run is sent with its start, by one delivery, unless the start was sent by one of its own while the run was at work; then the end
 * waits for that one. See the processor of webhook-delivery.
 */
import { entryOfJob } from '../../jobs/client/outbox.ts';
import { CONTRACTS, isJobKind } from '../../jobs/registry.ts';
import { webhookDelivery } from '../../jobs/webhook-delivery/contract.ts';
import type { Clock } from '../../shared/clock.ts';
import {
  type About,
  eventsOfPipeline,
  eventsOfRun,
  type PlacedEvent,
} from '../../shared/governance/open-lineage/run-events.ts';
import type { PipelineRunDocument, RunDocument, Store } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';
import { datasetsOf } from './lineage-datasets.ts';

/** Starts that this process has told of, so that a sweep does not ask the store again. */
const TOLD_MAX = 10_000;

export interface LineageRecorderOptions {
  readonly store: Pick<Store, 'lineageEvents' | 'versions' | 'journal' | 'pipelineRuns'>;
  readonly enqueuer: Pick<Enqueuer, 'make' | 'add'>;
  readonly clock: Clock;
  readonly namespace: string;
  /** Whether there is an address to send to. */
  readonly sends: boolean;
}

export class LineageRecorder {
  readonly #options: LineageRecorderOptions;
  readonly #told = new Set<string>();

  constructor(options: LineageRecorderOptions) {
    this.#options = options;
  }

  /** Deliveries tell of runs, and are none to tell of. */
  isWanted(kind: string): boolean {
    return kind !== webhookDelivery.kind;
  }

  /** Of a run that is at work for a while: its start, with a delivery of its own. Idempotent. */
  async started(run: RunDocument): Promise<void> {
    if (run.state !== 'running' || !this.isWanted(run.kind)) return;
    await this.#start(run.tenant, eventsOfRun(run, this.#about(run.kind)).at(-1)!);
  }

  async startedPipeline(run: PipelineRunDocument): Promise<void> {
    if (run.state === 'running') await this.#start(run.tenant, eventsOfPipeline(run, this.#pipelines())[0]!);
  }

  /** Of a run that has ended: all that is to be told. Idempotent. */
  async ended(run: RunDocument): Promise<void> {
    if (run.state === 'running' || !this.isWanted(run.kind)) return;
    const { namespace, store } = this.#options;
    const datasets = await datasetsOf(run, store.versions, namespace);
    await this.#keep(run.tenant, eventsOfRun(run, { ...this.#about(run.kind), ...datasets }));
  }

  async endedPipeline(run: PipelineRunDocument): Promise<void> {
    if (run.state !== 'running') await this.#keep(run.tenant, eventsOfPipeline(run, this.#pipelines()));
    await this.#options.store.pipelineRuns.markTold(run.id);
  }

  #about(kind: string): About {
    const { namespace } = this.#options;
    return isJobKind(kind) ? { namespace, title: CONTRACTS[kind].title } : { namespace };
  }

  readonly #pipelines = (): About => ({ namespace: this.#options.namespace, title: 'Several jobs as one run.' });

  /** The delivery is written down before the start names it: a start that names none is sent with the end. */
  async #start(tenant: string, { at, event, order, runId }: PlacedEvent): Promise<void> {
    if (this.#told.has(runId)) return;
    const { enqueuer, sends, store } = this.#options;
    const text = JSON.stringify(event);
    if (!sends) await store.lineageEvents.add(tenant, [{ runId, order, at, text }]);
    else {
      const { entries, job } = this.#delivery(tenant, runId, 'start', at);
      await store.journal.write(entries);
      const sentBy = job.data.runKey;
      const [isNew] = await store.lineageEvents.add(tenant, [{ runId, order, at, text, sentBy }]);
      if (isNew === true)
        await enqueuer.add(job).catch(() => {}); // the relay of what was written down does
      else if ((await store.lineageEvents.of(tenant, runId))[0]?.sentBy !== sentBy) await store.journal.forget(entries);
    }
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.add(runId);
  }

  async #keep(tenant: string, events: readonly PlacedEvent[]): Promise<void> {
    const { sends, store } = this.#options;
    const told = events.map(({ event, ...place }) => ({ ...place, text: JSON.stringify(event) }));
    const ends = told.filter(({ order }) => order === 1);
    await store.lineageEvents.add(tenant, told);
    if (sends) for (const { at, runId } of ends) await this.#send(tenant, runId, at);
  }

  /** The queue of deliveries is bounded: what is refused stays written down, and is relayed when there is room. */
  async #send(tenant: string, runId: string, at: number): Promise<void> {
    const { enqueuer, store } = this.#options;
    const { entries, job } = this.#delivery(tenant, runId, 'end', at);
    await store.journal.write(entries);
    await enqueuer.add(job).catch(() => {});
  }

  #delivery(tenant: string, runId: string, upTo: 'start' | 'end', asOf: number) {
    const { clock, enqueuer } = this.#options;
    const place = { tenant, key: `lineage.${runId}.${upTo}`, asOf };
    const job = enqueuer.make(webhookDelivery.kind, { lineage: { runId, upTo } }, place);
    return { job, entries: [{ runKey: job.data.runKey, entry: entryOfJob(job, clock.now()) }] };
  }
}
