import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A block of TypeScript in a document. */
export interface Example {
  /** `README.md:42`. */
  place: string;
  /** What stands behind `ts`: how it is tested. */
  info: string;
  code: string;
}

/** All TypeScript of the documents for users. */
export function examples(): Example[] {
  const pages = readdirSync(`${root}docs`).filter((file) => file.endsWith(".md"));
  return ["README.md", ...pages.map((page) => `docs/${page}`)].flatMap((file) => {
    const text = readFileSync(`${root}${file}`, "utf8");
    return [...text.matchAll(/^```ts *(.*)\n([\s\S]*?)^```$/gm)].map(
      ({ index, 1: info = "", 2: code = "" }) => ({
        place: `${file}:${text.slice(0, index).split("\n").length}`,
        info,
        code,
      }),
    );
  });
}

/** The only example that is tested so. */
export function exampleFor(info: string): Example {
  const [example, ...more] = examples().filter((one) => one.info === info);
  if (example === undefined || more.length > 0) throw new Error(`there must be one example "${info}"`);
  return example;
}
