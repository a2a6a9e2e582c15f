import { parseDocument } from "yaml";
import { cutText } from "../../client/senders/report-fields.js";
import { errorText } from "../../rpc/error-text.js";

/** What the description file of a skill says at its head. */
export interface SkillMeta {
  name: string;
  description: string;
}

/** Longer names are refused. */
const maxNameBytes = 256;
/** Longer descriptions are cut: the whole is in the file, which is pushed as it is. */
const maxDescriptionBytes = 1024;

const fence = /^---[ \t]*$/;

/**
 * Reads the YAML front matter of a skill's description file: a mapping with the texts `name` and `description`,
 * between two lines `---` at the start of the file.
 * @throws Error with what is wrong.
 */
export function readSkillMeta(text: string): SkillMeta {
  const fields = frontMatter(text);
  const name = fieldOf(fields, "name");
  if (Buffer.byteLength(name) > maxNameBytes) {
    throw new Error(`front matter: "name" is longer than ${maxNameBytes} bytes`);
  }
  return { name, description: cutText(fieldOf(fields, "description"), maxDescriptionBytes).text };
}

function frontMatter(text: string): Readonly<Record<string, unknown>> {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (!fence.test(lines[0] ?? "")) throw new Error("no front matter: the first line must be ---");
  const end = lines.findIndex((line, i) => i > 0 && fence.test(line));
  if (end < 0) throw new Error("front matter without end: a second line --- is missing");
  const value = parsedYaml(lines.slice(1, end).join("\n"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("front matter must be a mapping with name and description");
  }
  return value as Record<string, unknown>;
}

function parsedYaml(yaml: string): unknown {
  try {
    const document = parseDocument(yaml, { prettyErrors: false, logLevel: "silent" });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // too deep for the parser's stack, too many aliases, and mistakes
    throw new Error(`front matter is not YAML: ${errorText(error)}`);
  }
}

function fieldOf(fields: Readonly<Record<string, unknown>>, key: keyof SkillMeta): string {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (value === undefined || value === null) throw new Error(`front matter has no "${key}"`);
  if (typeof value !== "string") throw new Error(`front matter: "${key}" must be text; put it in quotes`);
  // control characters, other than the ends of lines, have no place in texts for people
  const text = value
    .replace(/[^\P{Cc}\n\t]/gu, " ")
    .replace(/\p{Surrogate}/gu, "\uFFFD")
    .trim();
  if (text === "") throw new Error(`front matter: "${key}" is empty`);
  return text;
}
