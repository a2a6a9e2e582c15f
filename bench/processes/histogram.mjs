const stepsPerDoubling = 32;
const buckets = 1024;

/** Counts times in steps of about 2 %, so that taking them costs the same however many there are. */
export class Histogram {
  #counts = new Uint32Array(buckets);

  /** @param {number} ms */
  add(ms) {
    const us = Math.max(ms * 1000, 1);
    this.#counts[Math.min(Math.floor(Math.log2(us) * stepsPerDoubling), buckets - 1)]++;
  }

  /**
   * @param {number} share from 0 to 1
   * @returns {number} microseconds
   */
  percentile(share) {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= share * total) return 2 ** ((index + 0.5) / stepsPerDoubling);
    }
    return 0;
  }
}
