import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { nilUuid, normalizeUuid } from "../../codec/index.js";
import { ApiError } from "../api-error.js";

const defaultMaxBodyBytes = 64 * 1024;

/** A text; one that is missing is empty. */
export const textField = z
  .string()
  .nullish()
  .transform((text) => text ?? "");

/** A UUID, in the usual spelling; one that is missing is nil. S5.2. */
export const uuidField = z
  .string()
  .nullish()
  .transform((text, context) => {
    const id = text === undefined || text === null ? nilUuid : normalizeUuid(text);
    if (id !== undefined) return id;
    context.addIssue({ code: "custom", message: `invalid UUID length: ${Buffer.byteLength(text ?? "")}` });
    return z.NEVER;
  });

/**
 * The JSON of a request. Fields that the schema does not have are passed over; `null` is an object without fields.
 * @param maxBytes 64 KiB by default.
 * @throws ApiError 400 when it is none, or not as the schema has it; 413 when it is longer. S5.2.
 */
export async function readJson<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  maxBytes = defaultMaxBodyBytes,
): Promise<T> {
  const parsed = schema.safeParse(parsedJson(await readText(request, maxBytes)) ?? {});
  if (parsed.success) return parsed.data;
  throw notJson(parsed.error.issues.map(faultOf).join("; "));
}

/** `logs.0.level: Invalid input`. */
function faultOf({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`;
}

/**
 * The body of a request as text. What is over the limit is thrown away as it comes, so that the client gets to read
 * the answer.
 * @throws ApiError 413 when it is longer. S5.2.
 */
export async function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) {
      request.resume();
      throw new ApiError(413, "Request body too large.");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * A text as JSON.
 * @throws ApiError 400 with what is wrong with it.
 */
function parsedJson(text: string): unknown {
  if (text.trim() === "") throw notJson("EOF");
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw notJson(isCutOff(text, error) ? "unexpected EOF" : textOf(error));
  }
}

/** True when what is missing is the end. */
function isCutOff(text: string, error: unknown): boolean {
  const said = textOf(error);
  const position = /at position (\d+)/.exec(said)?.[1];
  return /end of JSON input|Unterminated string/i.test(said) || Number(position) >= text.trimEnd().length;
}

function notJson(detail: string): ApiError {
  return new ApiError(400, "Request body must be valid JSON.", { detail });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Refuses a request that lacks fields.
 * @param fields by their names in JSON.
 * @throws ApiError 400 that names each that is empty. S5.2.
 */
export function requireFields(fields: Readonly<Record<string, string>>): void {
  const validations = Object.entries(fields)
    .filter(([, value]) => value === "")
    .map(([field, value]) => ({
      field,
      detail: `Validation failed for tag "required" with value: "${value}"`,
    }));
  if (validations.length > 0) throw new ApiError(400, "Validation failed.", { validations });
}
