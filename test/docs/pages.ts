import { readdirSync, readFileSync } from "node:fs";
import { root } from "./examples.js";

/** A page of the documentation, as it stands in the repository. */
export interface Page {
  /** From the root of the repository. */
  path: string;
  text: string;
}

/** All pages: the README, the changelog, and what is in docs/ and beside the benchmarks. */
export function pages(): Page[] {
  const docs = readdirSync(`${root}docs`).filter((file) => file.endsWith(".md"));
  const bench = readdirSync(`${root}bench`, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith("README.md") && !file.includes("node_modules"),
  );
  return [
    "README.md",
    "CHANGELOG.md",
    ...docs.map((file) => `docs/${file}`),
    ...bench.map((file) => `bench/${file}`),
  ].map((path) => ({ path, text: readFileSync(`${root}${path}`, "utf8") }));
}

/** The page without its blocks of code. */
export function proseOf({ text }: Page): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "");
}

/** The blocks of code of a page. */
export function blocksOf({ text }: Page): { language: string; code: string }[] {
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) => ({
    language,
    code,
  }));
}
