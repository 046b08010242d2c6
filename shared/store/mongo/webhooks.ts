/** Owns registrations of webhooks. Their secrets lie here encrypted under the master key, bound to their registration. */
import { randomBytes } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import { type MasterRing, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import type { Webhook, Webhooks } from '../ports.ts';
import { COLLECTIONS, idOf } from './names.ts';

interface WebhookDocument extends Omit<Webhook, 'id'> {
  _id: string;
  kid: string;
  box: Uint8Array;
}

const SECRET_BYTES = 32;
const WEBHOOKS_MAX = 50;

export const placeOfSecret = (id: string): string => placeOf(COLLECTIONS.webhooks, 'secret', id);

/** As Standard Webhooks writes secrets. */
const secretText = (secret: Uint8Array): string => `whsec_${Buffer.from(secret).toString('base64')}`;

class MongoWebhooks implements Webhooks {
  readonly #webhooks: Collection<WebhookDocument>;
  readonly #ring: MasterRing;
  readonly #clock: () => number;

  constructor(db: Db, ring: MasterRing, clock: () => number) {
    this.#webhooks = db.collection<WebhookDocument>(COLLECTIONS.webhooks);
    this.#ring = ring;
    this.#clock = clock;
  }

  async create(
    tenant: string,
    { url, kinds, states }: Pick<Webhook, 'url' | 'kinds' | 'states'>,
  ): ReturnType<Webhooks['create']> {
    if ((await this.#webhooks.countDocuments({ tenant })) >= WEBHOOKS_MAX)
      throw new AppError('INPUT_INVALID', {
        message: `A tenant has at most ${WEBHOOKS_MAX} webhooks.`,
        details: { issues: [{ path: [], message: `at most ${WEBHOOKS_MAX}` }] },
      });
    const id = randomBytes(8).toString('hex');
    const secret = randomBytes(SECRET_BYTES);
    const _id = idOf(tenant, id);
    const { kid, key: box } = wrapKey(this.#ring, secret, placeOfSecret(_id));
    const webhook: Webhook = { id, tenant, url, kinds, states, createdAt: this.#clock() };
    const { id: _, ...rest } = webhook;
    await this.#webhooks.insertOne({ _id, ...rest, kid, box });
    return { webhook, secret: secretText(secret) };
  }

  async list(tenant: string): Promise<Webhook[]> {
    const found = await this.#webhooks.find({ tenant }).limit(WEBHOOKS_MAX).toArray();
    return found.map(toWebhook).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  async read(tenant: string, id: string): ReturnType<Webhooks['read']> {
    const found = await this.#webhooks.findOne({ _id: idOf(tenant, id) });
    if (found === null) return undefined;
    const { _id, kid, box } = found;
    const secret = unwrapKey(this.#ring, { kid, key: box }, placeOfSecret(_id), `webhook ${id}`);
    return { webhook: toWebhook(found), secret: secretText(secret) };
  }

  async remove(tenant: string, id: string): Promise<boolean> {
    return (await this.#webhooks.deleteOne({ _id: idOf(tenant, id) })).deletedCount === 1;
  }
}

function toWebhook({ _id, kid: _kid, box: _box, tenant, ...rest }: WebhookDocument): Webhook {
  return { id: _id.slice(tenant.length + 1), tenant, ...rest };
}

export function mongoWebhooks(db: Db, ring: MasterRing, clock: () => number): Webhooks {
  return new MongoWebhooks(db, ring, clock);
}
