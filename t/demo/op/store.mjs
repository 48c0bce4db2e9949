// SPDX-License-Identifier: Apache-2.0
// oidc-provider's storage contract in memory: one store a provider, which survives the rotation of its keys.
import { randomBytes } from 'node:crypto';

export class MemoryStore {
  constructor() {
    this.rows = new Map();
    this.cookieKey = randomBytes(32).toString('hex');
  }

  get(key) {
    const row = this.rows.get(key);
    if (row?.until < Date.now()) {
      this.rows.delete(key);
      return undefined;
    }
    return row?.value;
  }

  adapter() {
    const store = this;
    return class {
      constructor(model) { this.model = model; }

      #key(id) { return `${this.model}:${id}`; }

      async upsert(id, value, ttl) {
        const until = ttl ? Date.now() + ttl * 1000 : Infinity;
        store.rows.set(this.#key(id), { value, until, grant: value.grantId });
        if (value.uid) store.rows.set(`uid:${value.uid}`, { value: id, until });
      }

      async find(id) { return store.get(this.#key(id)); }

      async findByUid(uid) { return this.find(store.get(`uid:${uid}`)); }

      async findByUserCode() { return undefined; }

      async consume(id) {
        const value = store.get(this.#key(id));
        if (value) value.consumed = Math.floor(Date.now() / 1000);
      }

      async destroy(id) { store.rows.delete(this.#key(id)); }

      async revokeByGrantId(grant) {
        for (const [key, row] of store.rows) if (row.grant === grant) store.rows.delete(key);
      }
    };
  }
}
