import { Code } from "@connectrpc/connect";
import { HttpError } from "./request-errors.js";

/** The fields of a JSON answer. Reading one that is not as promised is an HttpError, without what it holds. */
export class AnswerFields {
  readonly #request: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @param request as errors show it. */
  constructor(request: string, answer: unknown) {
    this.#request = request;
    if (typeof answer !== "object" || answer === null || Array.isArray(answer)) {
      throw new HttpError(request, "the answer is not a JSON object", Code.Internal);
    }
    this.#fields = answer as Readonly<Record<string, unknown>>;
  }

  text(name: string): string {
    const value = this.#valueOf(name);
    return typeof value === "string" ? value : this.#fail(name, "a text");
  }

  wholeNumber(name: string): number {
    const value = this.#valueOf(name);
    return typeof value === "number" && Number.isSafeInteger(value)
      ? value
      : this.#fail(name, "a whole number");
  }

  /** A time; undefined for none: missing, `null`, or the zero time of Go, 0001-01-01T00:00:00Z. */
  time(name: string): Date | undefined {
    const value = this.#valueOf(name) ?? undefined;
    if (value === undefined) return undefined;
    const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(ms)) return this.#fail(name, "a time");
    return ms === zeroTimeMs ? undefined : new Date(ms);
  }

  /** An object; undefined when it is missing or `null`. */
  object(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.#valueOf(name) ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return this.#fail(name, "an object");
    return value as Readonly<Record<string, unknown>>;
  }

  #valueOf(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #fail(name: string, kind: string): never {
    throw new HttpError(this.#request, `the answer's ${name} is not ${kind}`, Code.Internal);
  }
}

const zeroTimeMs = Date.parse("0001-01-01T00:00:00Z");
