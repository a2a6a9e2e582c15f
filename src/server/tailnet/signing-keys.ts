import { asError } from "../../rpc/error-text.js";
import {
  type AgentStore,
  MemorySigningKeys,
  type SigningKeyRecord,
  type SigningKeyStore,
} from "../../store/index.js";

/** What keys are for, and for how long. */
export interface KeyRingOptions {
  /** What they sign; other rings on the same store do not see them. */
  purpose: string;
  /** What is signed is good for so long at most. */
  signatureLifetimeMs: number;
  /** Each key signs for so long; 30 days by default. A key is good for checks until all that it signed has expired. */
  rotateEveryMs?: number;
}

const defaultRotateEveryMs = 30 * 24 * 60 * 60 * 1000;

/** As long as the hash of HS512. */
const secretBytes = 64;

/** Keys are read again after so long, so that one that somebody has removed is good no more. */
const maxAgeMs = 10 * 60 * 1000;

/** A key that is not known may be new; whoever makes some up does not get at the store more often. */
const minReadIntervalMs = 1000;

/** More keys than the newest so many are not known. */
const maxKeys = 64;

/**
 * The keys of one purpose. Any number of servers can share a store: who finds that no key signs any more makes the next
 * one, and of those that are made at the same time one counts for all.
 */
export class KeyRing {
  readonly #store: SigningKeyStore;
  readonly #purpose: string;
  readonly #rotateEveryUs: number;
  readonly #signatureLifetimeUs: number;
  #keys: readonly SigningKeyRecord[] = [];
  /** When the store was asked last, and when it last answered. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** Why it did not answer, when it did not. */
  #failure: Error | undefined;
  #reading: Promise<readonly SigningKeyRecord[]> | undefined;
  #rotating: Promise<SigningKeyRecord> | undefined;

  /** @throws RangeError when `rotateEveryMs` is not above 0. */
  constructor(store: SigningKeyStore, options: KeyRingOptions) {
    const { purpose, signatureLifetimeMs, rotateEveryMs = defaultRotateEveryMs } = options;
    if (!(rotateEveryMs > 0 && Number.isFinite(rotateEveryMs))) {
      throw new RangeError(`rotateEveryMs is ${rotateEveryMs}: give a number of milliseconds above 0`);
    }
    this.#store = store;
    this.#purpose = purpose;
    this.#rotateEveryUs = Math.ceil(rotateEveryMs * 1000);
    this.#signatureLifetimeUs = signatureLifetimeMs * 1000;
  }

  /**
   * The key to sign with, which is made where there is none.
   * @throws whatever the store does.
   */
  async signingKey(nowUs: number): Promise<SigningKeyRecord> {
    const known = (await this.#known()).at(-1);
    if (known !== undefined && nowUs < known.signsUntilUs) return known;
    // another server may have made the next one
    const stored = (await this.#read()).at(-1);
    if (stored !== undefined && nowUs < stored.signsUntilUs) return stored;
    this.#rotating ??= this.#rotate(stored, nowUs).finally(() => {
      this.#rotating = undefined;
    });
    return await this.#rotating;
  }

  /**
   * The key that something is signed with; undefined for one that is not there, or has expired.
   * @throws whatever the store does.
   */
  async keyWith(sequence: number, nowUs: number): Promise<SigningKeyRecord | undefined> {
    const isIt = (key: SigningKeyRecord) => key.sequence === sequence && nowUs < key.expiresAtUs;
    const known = (await this.#known()).find(isIt);
    if (known !== undefined) return known;
    if (!this.#wasAskedJustNow()) return (await this.#read()).find(isIt);
    // nobody knows whether it is there
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  /** What was read not long ago; older than that when the store has nothing to say. */
  async #known(): Promise<readonly SigningKeyRecord[]> {
    if (performance.now() - this.#readAtMs < maxAgeMs) return this.#keys;
    if (this.#keys.length > 0 && this.#wasAskedJustNow()) return this.#keys;
    try {
      return await this.#read();
    } catch (error) {
      if (this.#keys.length === 0) throw error;
      return this.#keys;
    }
  }

  #wasAskedJustNow(): boolean {
    return performance.now() - this.#askedAtMs < minReadIntervalMs;
  }

  /** One read for all who ask while it is under way. */
  #read(): Promise<readonly SigningKeyRecord[]> {
    this.#reading ??= this.#readStore().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readStore(): Promise<readonly SigningKeyRecord[]> {
    this.#askedAtMs = performance.now();
    try {
      this.#keys = (await this.#store.signingKeys(this.#purpose)).slice(-maxKeys);
    } catch (error) {
      this.#failure = asError(error);
      throw this.#failure;
    }
    this.#failure = undefined;
    this.#readAtMs = performance.now();
    return this.#keys;
  }

  /** Makes the next key, unless another server does; those that have expired go. */
  async #rotate(last: SigningKeyRecord | undefined, nowUs: number): Promise<SigningKeyRecord> {
    const signsUntilUs = nowUs + this.#rotateEveryUs;
    await this.#store.insertSigningKey({
      purpose: this.#purpose,
      sequence: (last?.sequence ?? 0) + 1,
      secret: crypto.getRandomValues(new Uint8Array(secretBytes)),
      createdAtUs: nowUs,
      signsUntilUs,
      expiresAtUs: signsUntilUs + this.#signatureLifetimeUs,
    });
    // not a read that was under way before
    const next = (await this.#readStore()).at(-1);
    // what stays now goes with the next
    await this.#store.deleteSigningKeys(this.#purpose, nowUs).catch(() => {});
    if (next !== undefined && nowUs < next.signsUntilUs) return next;
    throw new Error("the store has no signing key although one was just stored in it");
  }
}

/** Where keys are kept: as is said, or else in the store if it can, or else in this process. */
export function signingKeyStore(given: SigningKeyStore | undefined, store: AgentStore): SigningKeyStore {
  return given ?? (keepsSigningKeys(store) ? store : new MemorySigningKeys());
}

function keepsSigningKeys(store: AgentStore): store is AgentStore & SigningKeyStore {
  return (["signingKeys", "insertSigningKey", "deleteSigningKeys"] as const).every(
    (name) => typeof (store as Partial<SigningKeyStore>)[name] === "function",
  );
}
