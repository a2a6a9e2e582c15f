/** One part of a request that is wrong. */
export interface FieldError {
  field: string;
  detail: string;
}

const brand = Symbol.for("agentwire.ApiError");

/**
 * An answer that refuses an HTTP request: a status and the JSON that clients of the API know. S1.5.
 * Throw it from `authenticate` to refuse a dial.
 */
export class ApiError extends Error {
  readonly status: number;
  readonly detail: string | undefined;
  readonly validations: readonly FieldError[];

  constructor(
    status: number,
    message: string,
    more: { detail?: string; validations?: readonly FieldError[] } = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.detail = more.detail;
    this.validations = more.validations ?? [];
    Object.defineProperty(this, brand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): value is ApiError {
    return typeof value === "object" && value !== null && brand in value;
  }

  /** What goes into the body. */
  toJSON(): { message: string; detail?: string; validations?: readonly FieldError[] } {
    return {
      message: this.message,
      ...(this.detail ? { detail: this.detail } : {}),
      ...(this.validations.length > 0 ? { validations: this.validations } : {}),
    };
  }
}

/** Any error as an answer. What is not meant for the caller is not told. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(500, "An internal server error occurred.");
}

/** JSON as the reference server writes it: compact, without characters that HTML gives a meaning, a newline. S1.5. */
export function jsonBody(value: unknown, indent?: string): string {
  const escapes: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
  const text = JSON.stringify(value ?? null, undefined, indent);
  return `${text.replace(/[<>&]/g, (character) => escapes[character] ?? character)}\n`;
}
