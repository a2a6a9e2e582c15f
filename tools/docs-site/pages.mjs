// Which pages the documentation has, in which order and groups: what the README lists under "More", and the examples.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A page of the documentation.
 *
 * @typedef {object} DocsPage
 * @property {string} path of its file, from the root of the repository
 * @property {string} group
 * @property {string} title
 * @property {string} text its Markdown
 */

/**
 * All pages, in order.
 *
 * @param {string} root
 * @returns {DocsPage[]}
 */
export function docsPages(root) {
  return [...pagesOfReadme(root), ...examplePages(root)];
}

/** The pages that the README lists under "More", with the headings that they are under as groups. */
function pagesOfReadme(root) {
  const [, more = ""] = readFileSync(join(root, "README.md"), "utf8").split(/^## More$/m);
  const lines = more.matchAll(/^### (.+)$|^- \[[^\]]*\]\(([^)#]+)\)/gm);
  const pages = [];
  let group = "";
  for (const [, heading, path] of lines) {
    if (heading !== undefined) group = heading;
    else pages.push(pageOf(root, path, group));
  }
  return pages;
}

function pageOf(root, path, group) {
  const text = readFileSync(join(root, path), "utf8");
  const title = /^# (.+)$/m.exec(text)?.[1];
  if (title === undefined) throw new Error(`${path} has no heading: begin it with one`);
  return { path, group, title, text };
}

/** Sources are pages too, so that links to them show them in the site. */
function examplePages(root) {
  const paths = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => /\.(ts|yaml)$/.test(path))
    .sort()
    .map((path) => {
      const title = path.replaceAll("\\", "/");
      const code = readFileSync(join(root, "examples", path), "utf8");
      const text = `# examples/${title}\n\n\`\`\`${title.split(".").at(-1)}\n${code}\`\`\`\n`;
      return { path: `examples/${title}`, group: "Examples", title, text };
    });
}
