// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What this phone keeps, in IndexedDB. Every write is one transaction with durability "strict":
 * its promise resolves when the transaction is complete, so what was said to be kept is on the
 * disk. A cut before that leaves the state before, whole.
 */

const NAME = "sealtrail";
const VERSION = 1;
const STORES = ["settings", "tags", "records", "statements", "pouches", "outbox"];

/**
 * One change: *value* undefined deletes *key*; *merge*: fields put over those that are there.
 * *ifMark*: only where the value that is there has this `mark`.
 * @typedef {{store: string, key: any, value?: unknown, merge?: object, ifMark?: string}} Change
 */

/** The database of this page. */
export class Database {
  /** @param {IDBDatabase} base */
  constructor(base) {
    this.base = base;
    base.onversionchange = () => base.close(); // a newer page is waiting in another tab
  }

  /**
   * Opens it, made anew where it is missing. Throws DOMException.
   * @param {IDBFactory} factory
   * @returns {Promise<Database>}
   */
  static async open(factory) {
    const request = factory.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    return new Database(await answered(request));
  }

  /**
   * The value under *key*, else undefined.
   * @param {string} store
   * @param {IDBValidKey} key
   * @returns {Promise<any>}
   */
  get(store, key) {
    return answered(this.#reading(store).get(key));
  }

  /**
   * All values, or those whose keys lie in *range*, in the order of keys.
   * @param {string} store
   * @param {IDBKeyRange} [range]
   * @returns {Promise<any[]>}
   */
  all(store, range) {
    return answered(this.#reading(store).getAll(range));
  }

  /**
   * The keys, in order.
   * @param {string} store
   * @param {IDBKeyRange} [range]
   * @returns {Promise<any[]>}
   */
  keys(store, range) {
    return answered(this.#reading(store).getAllKeys(range));
  }

  /**
   * Makes all *changes* or none; durable when it resolves. Throws DOMException, such as
   * QuotaExceededError.
   * @param {Change[]} changes
   * @returns {Promise<void>}
   */
  write(changes) {
    const names = [...new Set(changes.map((one) => one.store))];
    const transaction = this.base.transaction(names, "readwrite", { durability: "strict" });
    const done = completed(transaction);
    for (const change of changes) make(transaction.objectStore(change.store), change);
    return done;
  }

  /** @param {string} store */
  #reading(store) {
    return this.base.transaction([store], "readonly").objectStore(store);
  }
}

/**
 * Every key of one tag in a store whose keys are [tag, number or text].
 * @param {string} tag hex of the tid
 * @returns {IDBKeyRange}
 */
export function ofTag(tag) {
  return IDBKeyRange.bound([tag], [tag, []]); // an array sorts behind numbers and texts
}

/**
 * Looking and writing are one transaction: nothing comes between them.
 * @param {IDBObjectStore} store
 * @param {Change} change
 */
function make(store, { key, value, merge, ifMark }) {
  if (merge === undefined && ifMark === undefined) {
    put(store, key, value);
    return;
  }
  const request = store.get(key);
  request.onsuccess = () => {
    const held = request.result;
    if (ifMark === undefined || held?.mark === ifMark) {
      put(store, key, merge === undefined ? value : { ...held, ...merge });
    }
  };
}

/**
 * @param {IDBObjectStore} store
 * @param {IDBValidKey} key
 * @param {unknown} value
 */
function put(store, key, value) {
  if (value === undefined) store.delete(key);
  else store.put(value, key);
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction */
function completed(transaction) {
  return /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    })
  );
}
