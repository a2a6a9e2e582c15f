import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./examples.js";
import { type Page, pages, proseOf } from "./pages.js";

const all = pages();
const anchors = new Map(all.map((page) => [page.path, anchorsOf(page)]));

describe("the pages of the documentation", () => {
  it("have links", () => {
    expect(all.flatMap(linksOf).length).toBeGreaterThan(100);
  });

  it.each(all)("link to what is there: $path", (page) => {
    const broken = linksOf(page).filter((link) => !leadsSomewhere(page, link));
    expect(broken).toEqual([]);
  });

  it("are all listed in the README, once, under More", async () => {
    const { docsPages } = (await import(`${root}tools/docs-site/pages.mjs`)) as {
      docsPages(root: string): { path: string; group: string }[];
    };
    const listed = docsPages(root).filter(({ group }) => group !== "Examples");
    const others = all.map(({ path }) => path).filter((path) => path !== "README.md");
    expect(listed.map(({ path }) => path).sort()).toEqual(others.sort());
    expect(listed.filter(({ group }) => group === "")).toEqual([]);
  });

  it("have titles of their own, which are their names in the site", () => {
    const titles = all.map(({ text }) => /^# (.+)$/m.exec(text)?.[1]);
    expect(titles).not.toContain(undefined);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

/** The targets of links that stay in the repository. */
function linksOf(page: Page): string[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(page: Page, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page.path : normalize(join(dirname(page.path), path)).replaceAll("\\", "/");
  if (!existsSync(`${root}${target}`)) return false;
  return anchor === undefined || (anchors.get(target)?.has(anchor) ?? false);
}

/** The anchors of a page's headings, as forges and the site make them. */
function anchorsOf(page: Page): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of proseOf(page).matchAll(/^#+ (.+)$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; found.has(anchor); count++) anchor = `${slug}-${count}`;
    found.add(anchor);
  }
  return found;
}
