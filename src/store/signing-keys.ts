/** A secret with which servers that share a store sign, and check what others of them have signed. */
export interface SigningKeyRecord {
  /** What it signs. A key is good for one thing only. */
  purpose: string;
  /** 1 for the first of its purpose; each has one more than the one before. */
  sequence: number;
  secret: Uint8Array;
  createdAtUs: number;
  /** From then on the next key signs. */
  signsUntilUs: number;
  /** Nothing that it has signed is good from then on. */
  expiresAtUs: number;
}

/** Where signing keys are kept. Servers that are one control plane need one that they share. */
export interface SigningKeyStore {
  /** The keys of a purpose, by their sequence. */
  signingKeys(purpose: string): Promise<readonly SigningKeyRecord[]>;
  /** A key of the same purpose and sequence that is there already stays as it is: who reads then sees which it is. */
  insertSigningKey(key: SigningKeyRecord): Promise<void>;
  /** Removes the keys of a purpose that have expired at that time. */
  deleteSigningKeys(purpose: string, expiredAtUs: number): Promise<void>;
}

/** Signing keys in memory: gone with the process, as is what they have signed. */
export class MemorySigningKeys implements SigningKeyStore {
  #keys: readonly SigningKeyRecord[] = [];

  async signingKeys(purpose: string): Promise<readonly SigningKeyRecord[]> {
    return this.#keys.filter((key) => key.purpose === purpose).sort((a, b) => a.sequence - b.sequence);
  }

  async insertSigningKey(key: SigningKeyRecord): Promise<void> {
    const isThere = this.#keys.some(
      ({ purpose, sequence }) => purpose === key.purpose && sequence === key.sequence,
    );
    if (!isThere) this.#keys = [...this.#keys, { ...key, secret: key.secret.slice() }];
  }

  async deleteSigningKeys(purpose: string, expiredAtUs: number): Promise<void> {
    this.#keys = this.#keys.filter((key) => key.purpose !== purpose || key.expiresAtUs > expiredAtUs);
  }
}
