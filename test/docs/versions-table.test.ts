import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { formatVersion, ladder } from "../../src/version/index.js";
import { root } from "./examples.js";

it("the README's table of versions is the one of the schemas", () => {
  const readme = readFileSync(`${root}README.md`, "utf8");
  expect(/<!-- versions -->\n([\s\S]*)<!-- \/versions -->/.exec(readme)?.[1]).toBe(`\n${table()}\n`);
});

function table(): string {
  const versions = [...new Set(ladder().map(({ since }) => formatVersion(since)))];
  return [
    "| version | methods | fields and values |",
    "| --- | --- | --- |",
    ...versions.map((version) => `| ${version} | ${namesOf(version, true)} | ${namesOf(version, false)} |`),
    "",
  ].join("\n");
}

function namesOf(version: string, areMethods: boolean): string {
  return ladder()
    .filter(({ since, kind }) => formatVersion(since) === version && (kind === "method") === areMethods)
    .map(({ parent, name }) => `\`${parent.split(".v2.").at(-1)}.${name}\``)
    .join(", ");
}
