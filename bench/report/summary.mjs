import { spreadOf } from "./statistics.mjs";

/**
 * @typedef {import("../runner/run.mjs").Sample} Sample
 * @typedef {import("./statistics.mjs").Spread} Spread
 */

/** What has been measured, over all rounds. */
export class Summary {
  #samples;

  /** @param {readonly Sample[]} samples */
  constructor(samples) {
    this.#samples = samples;
  }

  /**
   * @param {string} cell
   * @param {string} candidate
   */
  has(cell, candidate) {
    return this.#of(cell, candidate).length > 0;
  }

  /**
   * A value over the rounds.
   *
   * @param {string} cell
   * @param {string} candidate
   * @param {string} value
   * @returns {Spread | undefined}
   */
  spread(cell, candidate, value) {
    return spreadOf(this.#of(cell, candidate).map(({ values }) => values[value]));
  }

  /**
   * A value of one candidate divided by that of another, round by round.
   *
   * @param {string} cell
   * @param {string} candidate
   * @param {string} base
   * @param {string} value
   * @returns {Spread | undefined}
   */
  ratio(cell, candidate, base, value) {
    const bases = new Map(this.#of(cell, base).map(({ round, values }) => [round, values[value]]));
    return spreadOf(
      this.#of(cell, candidate).map(({ round, values }) => {
        const [own, other] = [values[value], bases.get(round)];
        return own === undefined || other === undefined ? undefined : own / other;
      }),
    );
  }

  /**
   * @param {string} cell
   * @param {string} candidate
   */
  #of(cell, candidate) {
    return this.#samples.filter((sample) => sample.cell === cell && sample.candidate === candidate);
  }
}
