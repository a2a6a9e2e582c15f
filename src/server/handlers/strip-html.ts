import { decodeEntities } from "./html-entities.js";

/** Elements whose content goes with them. */
const dropped = new Set([
  "frame",
  "frameset",
  "iframe",
  "noembed",
  "noframes",
  "noscript",
  "object",
  "script",
  "style",
]);
/** Elements in which nothing is a tag until their own end; `true` where character references are read. */
const rawElements = new Map([
  ["iframe", false],
  ["noembed", false],
  ["noframes", false],
  ["script", false],
  ["style", false],
  ["xmp", false],
  ["plaintext", false],
  ["textarea", true],
  ["title", true],
]);

const isLetter = /^[a-zA-Z]$/;

/**
 * The text of a piece of HTML, safe to put into HTML: without tags, comments, and the content of scripts, styles and
 * the like; the rest escaped. A tag or comment without an end swallows what follows. Takes time in proportion to the
 * length, whatever is in it.
 */
export function stripHtml(html: string): string {
  const text: string[] = [];
  /** How many dropped elements are open. */
  let depth = 0;
  const add = (from: number, to: number, isDecoded = true) => {
    if (depth === 0 && from < to) text.push(escapedText(html.slice(from, to), isDecoded));
  };
  for (let at = 0; at < html.length; ) {
    const markup = nextMarkup(html, at);
    add(at, markup.at);
    if (markup.kind === "comment") at = commentEnd(html, markup.at);
    else if (markup.kind === "none") at = html.length;
    else {
      const tag = readTag(html, markup);
      at = tag.end;
      const isDecoded = markup.kind === "start" ? rawElements.get(tag.name) : undefined;
      if (dropped.has(tag.name)) {
        if (markup.kind === "end") depth = Math.max(0, depth - 1);
        // a script that closes itself is open all the same: HTML has no such thing
        else if (!tag.closesItself || isDecoded !== undefined) depth++;
      }
      if (isDecoded !== undefined) {
        at = rawEnd(html, tag.end, tag.name);
        add(tag.end, at, isDecoded);
      }
    }
  }
  return text.join("");
}

interface Markup {
  kind: "start" | "end" | "comment" | "none";
  at: number;
}

/** The first `<` that begins something. */
function nextMarkup(html: string, from: number): Markup {
  for (let at = html.indexOf("<", from); at >= 0; at = html.indexOf("<", at + 1)) {
    const kind = markupAt(html, at);
    if (kind !== "none") return { kind, at };
  }
  return { kind: "none", at: html.length };
}

/** What a `<` begins. */
function markupAt(html: string, at: number): Markup["kind"] {
  const next = html.charAt(at + 1);
  if (isLetter.test(next)) return "start";
  if (next === "!" || next === "?") return "comment";
  if (next !== "/" || at + 2 >= html.length) return "none";
  return isLetter.test(html.charAt(at + 2)) ? "end" : "comment";
}

/** Where what follows a comment begins; also a document type, and what HTML takes for a comment. */
function commentEnd(html: string, at: number): number {
  if (!html.startsWith("<!--", at)) return after(html, ">", at + 2);
  if (html.startsWith(">", at + 4)) return at + 5;
  if (html.startsWith("->", at + 4)) return at + 6;
  for (let dashes = at + 4; ; dashes++) {
    dashes = html.indexOf("--", dashes);
    if (dashes < 0) return html.length;
    if (html.startsWith(">", dashes + 2)) return dashes + 3;
    if (html.startsWith("!>", dashes + 2)) return dashes + 4;
  }
}

interface Tag {
  name: string;
  closesItself: boolean;
  /** Behind its `>`. */
  end: number;
}

const nameEnd = /[ \n\r\t\f/>]/g;
const attributeStart = /[^ \n\r\t\f/]/g;
const attributeNameEnd = /[ \n\r\t\f/=>]/g;
const notSpace = /[^ \n\r\t\f]/g;
const valueEnd = /[ \n\r\t\f>]/g;

/** Reads a tag. A `>` in a quoted value does not end it. */
function readTag(html: string, markup: Markup): Tag {
  const start = markup.at + (markup.kind === "end" ? 2 : 1);
  let at = find(nameEnd, html, start);
  const name = html.slice(start, at).toLowerCase();
  for (;;) {
    at = find(attributeStart, html, at);
    if (at >= html.length) return { name, closesItself: false, end: at };
    if (html[at] === ">") return { name, closesItself: html[at - 1] === "/", end: at + 1 };
    // an equals sign in front is part of the attribute's name
    at = find(notSpace, html, find(attributeNameEnd, html, at + 1));
    if (html[at] !== "=") continue;
    at = find(notSpace, html, at + 1);
    const quote = html[at];
    if (quote === '"' || quote === "'") at = after(html, quote, at + 1);
    else at = find(valueEnd, html, at);
  }
}

/** Where the end tag of an element begins in which nothing else is a tag. */
function rawEnd(html: string, start: number, name: string): number {
  if (name === "plaintext") return html.length;
  for (let at = start; ; at += 2) {
    at = html.indexOf("</", at);
    if (at < 0) return html.length;
    const end = at + 2 + name.length;
    if (html.slice(at + 2, end).toLowerCase() === name && /^[ \n\r\t\f/>]$/.test(html.charAt(end))) return at;
  }
}

/** The first place from `start` on where a pattern is; the end of the text when there is none. */
function find(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.exec(text)?.index ?? text.length;
}

function after(text: string, what: string, start: number): number {
  const at = text.indexOf(what, start);
  return at < 0 ? text.length : at + what.length;
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "'": "&#39;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "\r": "&#13;",
};

/** Text as HTML. What was escaped is not escaped twice: it is decoded first. */
function escapedText(text: string, isDecoded: boolean): string {
  const lines = text.replace(/\r\n?/g, "\n");
  const plain = isDecoded ? decodeEntities(lines) : lines;
  return plain.replace(/[&'<>"\r]/g, (character) => escapes[character] ?? character);
}
