// The newest 10,000 rows, in the order of their ids.
import { statesOf } from './states.js';

/** The server's limit. */
export const LIMIT = 10_000;

/** Makes an empty store. `rows` is oldest first. */
export function createStore() {
  const byId = new Map();
  const listeners = new Set();
  const store = {
    rows: [],
    states: new Map(),
    types: new Map(),
    sources: new Map(),
    get: (id) => byId.get(id),
    /** Calls `listener` with the changed ids, or null when everything changed. */
    onChange: (listener) => listeners.add(listener),

    clear() {
      store.rows = [];
      byId.clear();
      [store.states, store.types, store.sources].forEach((counts) => counts.clear());
      tell(null);
    },

    /** Takes new and changed rows in any order. */
    upsert(changes) {
      const fresh = [];
      for (const row of changes) {
        const old = byId.get(row.id);
        if (old) {
          tally(old, -1);
          store.rows[position(row.id)] = row;
        } else {
          fresh.push(row);
        }
        byId.set(row.id, row);
        tally(row, 1);
      }
      insert(fresh.sort((one, other) => one.id - other.id));
      tell(new Set(changes.map((row) => row.id)));
    },
  };

  function tally(row, by) {
    for (const [counts, key] of [...[...statesOf(row)].map((state) => [store.states, state]), [store.types, row.type], [store.sources, row.source]]) {
      const sum = (counts.get(key) ?? 0) + by;
      if (sum) counts.set(key, sum);
      else counts.delete(key);
    }
  }

  function position(id) {
    let [low, high] = [0, store.rows.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (store.rows[middle].id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function insert(fresh) {
    if (!fresh.length) return;
    const { rows } = store;
    if (!rows.length || fresh[0].id > rows.at(-1).id) rows.push(...fresh);
    else if (fresh.at(-1).id < rows[0].id) store.rows = fresh.concat(rows);
    else store.rows = rows.concat(fresh).sort((one, other) => one.id - other.id);
    const gone = store.rows.splice(0, Math.max(0, store.rows.length - LIMIT));
    for (const row of gone) {
      byId.delete(row.id);
      tally(row, -1);
    }
  }

  const tell = (ids) => listeners.forEach((listener) => listener(ids));
  return store;
}
