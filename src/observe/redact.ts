import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { hidden, hideKnownSecrets } from "../rpc/known-secrets.js";

/** Names of headers, parameters, metadata and fields that hold secrets. */
const secretName =
  /token|secret|passw(?:or)?d|passphrase|credential|authorization|cookie|(?:api|access|private|signing)[-_]?key/i;

/** Fields that hold secrets under a name that does not say so. */
const secretFields: ReadonlySet<string> = new Set([
  "coder.agent.v2.Manifest.environment_variables",
  "coder.agent.v2.WorkspaceSecret.value",
]);

/**
 * What a secret looks like wherever it stands. Each takes time in proportion to the text, whatever that is: texts come
 * from the other side.
 */
const secretTexts: readonly (readonly [RegExp, string])[] = [
  // private keys, in one piece or cut short
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, hidden],
  // scheme://user:password@host
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#@"']{0,256}:[^\s/?#@"']{0,256}@/gi, `$1${hidden}@`],
  [/\b(bearer|basic) {1,8}(?=\D{0,100}\d)[\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // JSON web tokens
  [/(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, hidden],
  // tokens of well-known services
  [
    /\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|A[KS]IA[A-Z0-9]{16})/g,
    hidden,
  ],
];

/** `name=value` and `"name":"value"`, as in queries, shells and logs. */
const assignments = /(?<![\w.-])([\w.-]{1,64})(\\?["']?\s{0,8}[=:]\s{0,8}\\?["']?)([^\s&#;,"'\\]+)/g;

/** Takes secrets out of what is told. */
export interface Redaction {
  /** A text that may have secrets in it. */
  text(text: string): string;
  /** A value whose name may say that it is a secret: of a header, of metadata. */
  named(name: string, value: string): string;
  /** A message as protobuf JSON; changed in place. */
  json(type: DescMessage, json: JsonValue): JsonValue;
}

/** Shows everything. */
export const showSecrets: Redaction = {
  text: (text) => text,
  named: (_name, value) => value,
  json: (_type, json) => json,
};

/**
 * Hides what is secret by its name or by its looks.
 * @param known secrets to hide wherever they are found; those of fewer than eight characters are not.
 */
export function hideSecrets(known: readonly string[] = []): Redaction {
  const text = (value: string): string => {
    let shown = hideKnownSecrets(value, known);
    for (const [pattern, replacement] of secretTexts) shown = shown.replace(pattern, replacement);
    return shown.replace(assignments, (whole, name: string, between: string, secret: string) =>
      isSecretName(name) && !secret.startsWith(hidden.slice(0, -1)) ? `${name}${between}${hidden}` : whole,
    );
  };
  const walker = new JsonWalker(text);
  return {
    text,
    named: (name, value) => (isSecretName(name) ? hidden : text(value)),
    json: (type, json) => walker.message(type, json),
  };
}

/** True for names of headers, parameters, metadata and fields that hold secrets. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** Goes through the JSON of a message beside its type. */
class JsonWalker {
  readonly #text: (text: string) => string;

  constructor(text: (text: string) => string) {
    this.#text = text;
  }

  message(type: DescMessage, json: JsonValue): JsonValue {
    // well-known types have forms of their own: a text, a number, anything
    if (type.typeName.startsWith("google.protobuf.")) return this.#anything(json);
    if (typeof json !== "object" || json === null || Array.isArray(json)) return this.#anything(json);
    for (const field of type.fields) {
      const value = json[field.jsonName];
      if (value !== undefined) json[field.jsonName] = this.#field(field, value);
    }
    hideValueOf(json);
    return json;
  }

  #field(field: DescField, value: JsonValue): JsonValue {
    if (field.message !== undefined) {
      const { message } = field;
      return each(value, field, (one) => this.message(message, one));
    }
    if (isSecretField(field)) return each(value, field, () => hidden);
    return isText(field) ? each(value, field, (one) => this.#anything(one)) : value;
  }

  #anything(value: JsonValue): JsonValue {
    if (typeof value === "string") return this.#text(value);
    if (Array.isArray(value)) return value.map((one) => this.#anything(one));
    if (typeof value !== "object" || value === null) return value;
    for (const [name, one] of Object.entries(value)) {
      value[name] = typeof one === "string" && isSecretName(name) ? hidden : this.#anything(one);
    }
    return value;
  }
}

/** Hides the value of something that says by its own key or name that it is a secret: metadata, labels. */
function hideValueOf(json: JsonObject): void {
  const name = json["key"] ?? json["name"];
  if (typeof name !== "string" || !isSecretName(name)) return;
  const { result } = json;
  for (const holder of [json, result]) {
    if (typeof holder !== "object" || holder === null || Array.isArray(holder)) continue;
    if (typeof holder["value"] === "string") holder["value"] = hidden;
  }
}

function isSecretField(field: DescField): boolean {
  if (secretFields.has(`${field.parent.typeName}.${field.name}`)) return true;
  return isSecretName(field.name) && (isText(field) || field.scalar === ScalarType.BYTES);
}

function isText(field: DescField): boolean {
  return field.scalar === ScalarType.STRING;
}

/** Does something with a value, with each of a list, or with each value of a map. */
function each(value: JsonValue, field: DescField, change: (value: JsonValue) => JsonValue): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(value)) return value.map(change);
  if (field.fieldKind !== "map" || typeof value !== "object" || value === null || Array.isArray(value)) {
    return change(value);
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(one)]));
}
