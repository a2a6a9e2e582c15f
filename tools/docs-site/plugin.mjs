// The documentation as a site: a plugin of TypeDoc. It adds the pages in their order and groups, names the entries of
// the package as they are imported, and fails when a link of the site leads nowhere.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Converter, JSX, MinimalSourceFile, ReflectionKind, RendererEvent } from "typedoc";
import { docsPages } from "./pages.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = docsPages(root);
const referenceGroup = "API reference";

/** Who comes for the first time sees the guides; what readers open and close is theirs from then on. */
const openGuides = `localStorage["tsd-accordion-${pages[0]?.group}"] ??= "true";`;

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.on("bootstrapEnd", () => {
    const groups = [...new Set(pages.map(({ group }) => group))];
    app.options.setValue("groupOrder", [...groups, "*"]);
    // what a page explains comes before the names that have the same words in them
    app.options.setValue("searchGroupBoosts", Object.fromEntries(groups.map((group) => [group, 8])));
    app.options.setValue("markdownItLoader", countCodeInHeadings);
  });
  app.converter.on(Converter.EVENT_BEGIN, ({ project }) => {
    for (const { path, title, text } of pages) {
      app.converter.addDocument(project, new MinimalSourceFile(text, join(root, path)), plain(title));
    }
  });
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const page = pages.find(({ title }) => plain(title) === document.name);
    if (page !== undefined) document.frontmatter["group"] = page.group;
  });
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      module.name = `agentwire/${module.name.replace(/\/?index-node$/, "")}`;
    }
  });
  app.renderer.on(RendererEvent.BEGIN, ({ project }) => {
    for (const group of project.groups ?? []) if (group.title === "Modules") group.title = referenceGroup;
  });
  app.renderer.hooks.on("head.begin", () =>
    JSX.createElement("script", null, JSX.createElement(JSX.Raw, { html: openGuides })),
  );
  app.renderer.on(RendererEvent.END, ({ outputDirectory }) => {
    for (const link of brokenLinks(outputDirectory)) app.logger.error(link);
  });
}

function plain(title) {
  return title.replaceAll("`", "");
}

/** Code counts for the anchor of a heading, as it does on forges; TypeDoc counts texts only. */
function countCodeInHeadings(parser) {
  parser.core.ruler.push("code_in_headings", ({ tokens, Token }) => {
    for (const [index, { type }] of tokens.entries()) {
      const inline = tokens[index + 1];
      if (type !== "heading_open" || !inline?.children) continue;
      inline.children = inline.children.flatMap((child) => {
        if (child.type !== "code_inline") return [child];
        const [open, text, close] = ["html_inline", "text", "html_inline"].map(
          (kind) => new Token(kind, "", 0),
        );
        Object.assign(open, { content: "<code>" });
        Object.assign(text, { content: child.content });
        Object.assign(close, { content: "</code>" });
        return [open, text, close];
      });
    }
  });
}

/** What is wrong with links of the site's pages to files of the site and anchors in them. */
function brokenLinks(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".html"),
  );
  const texts = new Map(files.map((path) => [join(folder, path), readFileSync(join(folder, path), "utf8")]));
  const broken = [];
  for (const [file, text] of texts) {
    for (const [, href = ""] of text.matchAll(/<a\b[^>]*? href="([^"]*)"/g)) {
      if (/^[a-z]+:/.test(href) || href === "") continue;
      const [path = "", anchor] = href.split("#");
      const target = path === "" ? file : resolve(dirname(file), decodeURI(path));
      const isThere = existsSync(target);
      const hasAnchor =
        !anchor || !texts.has(target) || texts.get(target)?.includes(`id="${decodeURI(anchor)}"`);
      if (!isThere || !hasAnchor) broken.push(`${file} links to ${href}, which is not there`);
    }
  }
  return broken;
}
