import { Code } from "@connectrpc/connect";

/** One part of a request that a server found wrong. */
export interface Validation {
  field: string;
  detail: string;
}

/** What a server said when it refused, or why there is no answer. */
export interface RefusalFacts {
  /** The HTTP status of the answer; absent when none came, or the runtime does not show it. */
  status?: number | undefined;
  /** More of what the server said. */
  detail?: string | undefined;
  validations?: readonly Validation[] | undefined;
  cause?: unknown;
}

/** An HTTP answer that is not the one hoped for. */
export interface Refusal {
  status: number;
  contentType: string | undefined;
  body: string;
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

/** Of a body that is not JSON, and of JSON without a message. C1.16. */
const maxDetailCharacters = 2048;
const maxJsonDetailCharacters = 1024;

/** What an answer says, in the JSON of the API where it is that. C1.16. */
export function readRefusal({
  status,
  contentType,
  body,
}: Refusal): RefusalFacts & { reason: string; code: Code } {
  const code = codes[status] ?? (status >= 500 ? Code.Unavailable : Code.Unknown);
  const isJson = contentType !== undefined && /^application\/json\s*(;|$)/i.test(contentType);
  if (!isJson) {
    const detail = body === "" ? "no response body" : cut(body, maxDetailCharacters);
    return { code, status, detail, reason: `unexpected non-JSON response "${contentType ?? ""}"` };
  }
  if (body === "") return { code, status, reason: "empty response body" };
  const parsed = parseJson(body);
  if (typeof parsed?.["message"] !== "string" || parsed["message"] === "") {
    const reason = `unexpected status code ${status}, response has no message`;
    return { code, status, detail: cut(body, maxJsonDetailCharacters), reason };
  }
  return {
    code,
    status,
    reason: parsed["message"],
    detail: typeof parsed["detail"] === "string" ? parsed["detail"] : undefined,
    validations: validationsIn(parsed["validations"]),
  };
}

/** The text of an error: what was tried, and everything that the server said. */
export function refusalText(what: string, reason: string, facts: RefusalFacts): string {
  const { status, detail, validations } = facts;
  const parts = [`${what}: ${status === undefined ? "" : `status ${status}: `}${reason}`];
  if (detail !== undefined && detail !== "") parts.push(detail);
  for (const { field, detail: why } of validations ?? []) parts.push(`${field}: ${why}`);
  return parts.join("; ");
}

function cut(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters)}...` : text;
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
