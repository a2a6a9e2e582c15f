import { Code } from "@connectrpc/connect";
import { RpcError } from "../rpc/index.js";

/** One part of a request that a server found wrong. */
export interface Validation {
  field: string;
  detail: string;
}

/** What is known of a dial that failed. */
export interface DialErrorFacts {
  /** The HTTP status of the answer; absent when none came, or the runtime does not show it. */
  status?: number | undefined;
  /** More of what the server said. */
  detail?: string | undefined;
  validations?: readonly Validation[] | undefined;
  cause?: unknown;
}

const brand = Symbol.for("agentwire.DialError");

/** Why a dial failed. What the server said is kept; the token and the query are in none of it. */
export class DialError extends RpcError {
  readonly status: number | undefined;
  readonly detail: string | undefined;
  readonly validations: readonly Validation[];
  /** The server's own message, or ours where it said none. */
  readonly reason: string;

  constructor(url: string, reason: string, code: Code, facts: DialErrorFacts = {}) {
    super(textOf(url, reason, facts), code, { layer: "dial", cause: facts.cause });
    this.reason = reason;
    this.status = facts.status;
    this.detail = facts.detail;
    this.validations = facts.validations ?? [];
    Object.defineProperty(this, brand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): value is DialError {
    return typeof value === "object" && value !== null && brand in value;
  }
}

function textOf(url: string, reason: string, { status, detail, validations }: DialErrorFacts): string {
  const parts = [`dial ${url}: ${status === undefined ? "" : `status ${status}: `}${reason}`];
  if (detail !== undefined && detail !== "") parts.push(detail);
  for (const { field, detail: why } of validations ?? []) parts.push(`${field}: ${why}`);
  return parts.join("; ");
}

const codes: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  408: Code.DeadlineExceeded,
  409: Code.AlreadyExists,
  429: Code.ResourceExhausted,
  500: Code.Internal,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

/** An HTTP answer that refused an upgrade. */
export interface Refusal {
  status: number;
  contentType: string | undefined;
  body: string;
}

const maxDetailCharacters = 2048;

/** The error of an answer, with whatever it says in the JSON of the API. C1.16. */
export function refusedDial(url: string, { status, contentType, body }: Refusal): DialError {
  const code = codes[status] ?? (status >= 500 ? Code.Unavailable : Code.Unknown);
  const isJson = contentType !== undefined && /^application\/json\b/i.test(contentType);
  if (!isJson) {
    const detail = body === "" ? "no response body" : cut(body);
    return new DialError(url, `unexpected non-JSON response "${contentType ?? ""}"`, code, {
      status,
      detail,
    });
  }
  const parsed = parseJson(body);
  if (typeof parsed?.["message"] !== "string" || parsed["message"] === "") {
    return new DialError(url, `unexpected status code ${status}, response has no message`, code, {
      status,
      detail: cut(body),
    });
  }
  return new DialError(url, parsed["message"], code, {
    status,
    detail: typeof parsed["detail"] === "string" ? parsed["detail"] : undefined,
    validations: validationsIn(parsed["validations"]),
  });
}

function cut(text: string): string {
  return text.length > maxDetailCharacters ? `${text.slice(0, maxDetailCharacters)}...` : text;
}

function parseJson(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function validationsIn(value: unknown): Validation[] {
  if (!Array.isArray(value)) return [];
  const found: Validation[] = [];
  for (const entry of value as unknown[]) {
    const { field, detail } = (entry ?? {}) as Partial<Validation>;
    if (typeof field === "string" && typeof detail === "string") found.push({ field, detail });
  }
  return found;
}
