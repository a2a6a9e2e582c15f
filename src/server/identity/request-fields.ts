import { ApiError } from "../api-error.js";
import { requireFields } from "../http/request-body.js";

/**
 * Texts of a request's body.
 * @param required those that must not be empty; others are empty when they are not there.
 * @throws ApiError when the body is not such an object, or one that is required is missing. S5.2.
 */
export function textFields<R extends string, O extends string>(
  body: unknown,
  required: readonly R[],
  optional: readonly O[],
): Record<R | O, string> {
  const object = objectOf(body);
  const fields = [...required, ...optional].map((name) => [name, textOf(object, name)] as const);
  const texts = Object.fromEntries(fields) as Record<R | O, string>;
  requireFields(Object.fromEntries(required.map((name) => [name, texts[name]])));
  return texts;
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (body === null || body === undefined) return {};
  if (typeof body === "object" && !Array.isArray(body)) return body as Readonly<Record<string, unknown>>;
  throw new ApiError(400, "Request body must be valid JSON.", { detail: "The body must be an object." });
}

function textOf(object: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(object, name) ? (object[name] ?? "") : "";
  if (typeof value === "string") return value;
  throw new ApiError(400, "Request body must be valid JSON.", { detail: `${name} must be a string.` });
}
