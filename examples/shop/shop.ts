/**
 * What a shop keeps in ZooKeeper, and how its parts agree: the stock behind a lock, the orders, a queue
 * for those that pack, and rules that everybody follows while they change.
 *
 *   /shop/stock/<article>    how many are left
 *   /shop/orders/<id>        what was sold: made together with the change of the stock, or not at all
 *   /shop/queue              ids of orders that wait to be packed
 *   /shop/parcels/<id>       what was packed: one for each order, whoever tries
 *   /shop/rules              discount, and whether the shop is open
 */
import { NodeExistsError, type Client } from 'zabra/client';
import { ConfigStore, Lock, LockingQueue, type ConfigSchema } from 'zabra/recipes';

export interface Rules {
  readonly isOpen: boolean;
  readonly discountPercent: number;
}

const schema: ConfigSchema<Rules> = {
  '~standard': {
    version: 1,
    vendor: 'shop',
    validate: (value) => {
      const { isOpen, discountPercent } = value as Partial<Rules>;
      return typeof isOpen === 'boolean' && typeof discountPercent === 'number'
        ? { value: { isOpen, discountPercent } }
        : { issues: [{ message: 'must be { isOpen, discountPercent }' }] };
    },
  },
};

export interface Order {
  readonly id: string;
  readonly visitor: string;
  readonly article: string;
  readonly amount: number;
}

export type Sale = 'sold' | 'sold out' | 'closed';

export class Shop {
  readonly #zk: Client;
  readonly #rules: ConfigStore<Rules>;
  readonly #queue: LockingQueue;

  constructor(zk: Client) {
    this.#zk = zk;
    this.#rules = new ConfigStore(zk, '/shop/rules', { schema });
    this.#queue = new LockingQueue(zk, '/shop/queue');
  }

  /** Once, by whoever owns the shop. */
  async furnish(stock: Readonly<Record<string, number>>, rules: Rules): Promise<void> {
    for (const path of ['/shop/orders', '/shop/parcels']) {
      await this.#zk.create(path, '', { makePath: true });
    }
    for (const [article, count] of Object.entries(stock)) {
      await this.#zk.create(`/shop/stock/${article}`, String(count), { makePath: true });
    }
    await this.#rules.publish(rules);
  }

  /** By everybody who sells. */
  async open(): Promise<this> {
    await this.#rules.start();
    return this;
  }

  async change(rules: Rules): Promise<void> {
    await this.#rules.publish(rules);
  }

  get rules(): Rules {
    return this.#rules.values;
  }

  async left(article: string): Promise<number> {
    const { data } = await this.#zk.getData(`/shop/stock/${article}`);
    return Number(data.toString());
  }

  /** One lock for each article: who buys tea does not wait for who buys bread. */
  async sell(order: Order): Promise<Sale> {
    if (!this.rules.isOpen) return 'closed';
    const stock = `/shop/stock/${order.article}`;
    const hold = await new Lock(this.#zk, `/shop/locks/${order.article}`).acquire();
    try {
      const { data, stat } = await this.#zk.getData(stock);
      const left = Number(data.toString()) - order.amount;
      if (left < 0) return 'sold out';
      // all of it or nothing, and only while the lock is held
      await hold.guard((tx) =>
        tx
          .setData(stock, String(left), { version: stat.version })
          .create(`/shop/orders/${order.id}`, JSON.stringify(order)),
      );
    } finally {
      await hold.release();
    }
    await this.#queue.put(order.id);
    return 'sold';
  }

  /** Packs until the signal. An order stays in the queue until its parcel is there. */
  async pack(packer: string, signal: AbortSignal, onParcel: (id: string) => void): Promise<void> {
    for await (const claim of this.#queue.items({ signal })) {
      const id = claim.data.toString();
      try {
        await this.#zk.create(`/shop/parcels/${id}`, packer);
        onParcel(id);
      } catch (error) {
        // somebody packed it and did not live to say so
        if (!(error instanceof NodeExistsError)) throw error;
      }
      await claim.acknowledge();
    }
  }

  async orders(): Promise<string[]> {
    return (await this.#zk.getChildren('/shop/orders')).children;
  }

  async parcels(): Promise<string[]> {
    return (await this.#zk.getChildren('/shop/parcels')).children;
  }

  async waiting(): Promise<number> {
    return await this.#queue.size();
  }

  async close(): Promise<void> {
    this.#rules.close();
    await this.#queue.close();
    await this.#zk.close();
  }
}
