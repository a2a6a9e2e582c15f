import { normalizeUuid } from "../../codec/index.js";
import { ApiError, type FieldError } from "../api-error.js";

/** Parameters of a query that say who asks. S1.6. */
const tokenParameters = new Set(["coder_session_token", "access_token"]);

/** Reads the parameters of a query, and collects what is wrong with them. An empty one counts as missing. */
export class QueryReader {
  readonly #query: URLSearchParams;
  readonly #read = new Set<string>();
  readonly #faults: FieldError[] = [];

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  /** A text that must be there. */
  required(name: string): string {
    const text = this.#text(name);
    if (text === undefined) this.#fault(name, `Query param "${name}" is required`);
    return text ?? "";
  }

  /** A UUID. */
  uuid(name: string): string | undefined {
    return this.#parsed(name, "must be a UUID", normalizeUuid);
  }

  /** One of some words. */
  word<T extends string>(name: string, words: readonly T[]): T | undefined {
    return this.#parsed(name, `must be one of: ${words.join(", ")}`, (text) =>
      words.find((word) => word === text),
    );
  }

  /** `true` or `false`. */
  boolean(name: string): boolean | undefined {
    const word = this.word(name, ["true", "false"]);
    return word === undefined ? undefined : word === "true";
  }

  /** A time as RFC 3339 has it, in microseconds since 1970. */
  timeUs(name: string): number | undefined {
    return this.#parsed(name, "must be a time such as 2026-01-31T12:00:00Z", (text) => {
      const ms = /^\d{4}-\d\d-\d\dT/i.test(text) ? Date.parse(text) : Number.NaN;
      return Number.isNaN(ms) ? undefined : ms * 1000;
    });
  }

  /** A whole number of a range. */
  integer(name: string, least: number, most: number): number | undefined {
    return this.#parsed(name, `must be a whole number from ${least} to ${most}`, (text) => {
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most ? value : undefined;
    });
  }

  /** To be called when all has been read. @throws ApiError 400 with all that is wrong. */
  check(): void {
    if (this.#faults.length > 0) {
      throw new ApiError(400, "Invalid query parameters.", { validations: this.#faults });
    }
  }

  /** The same for a query that may have no other parameters, but those that hold a token. S5.35. */
  checkAll(): void {
    for (const name of new Set(this.#query.keys())) {
      if (!this.#read.has(name) && !tokenParameters.has(name)) {
        this.#fault(name, `"${name}" is not a valid query param`);
      }
    }
    this.check();
  }

  #parsed<T>(name: string, rule: string, parse: (text: string) => T | undefined): T | undefined {
    const text = this.#text(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) this.#fault(name, `Query param "${name}" ${rule}`);
    return value;
  }

  #text(name: string): string | undefined {
    this.#read.add(name);
    return this.#query.get(name) || undefined;
  }

  #fault(field: string, detail: string): void {
    this.#faults.push({ field, detail });
  }
}
