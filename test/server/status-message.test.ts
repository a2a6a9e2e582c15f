import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goUnquote } from "../../src/server/handlers/go-unquote.js";
import { cleanStatusMessage } from "../../src/server/handlers/status-message.js";
import { runs } from "../support/scale.js";

const esc = "\u001b";

/** Input and output. */
const vectors: readonly (readonly [string, string])[] = [
  ["it's done", "it&#39;s done"],
  ["R&D", "R&amp;D"],
  ['quote "x"', "quote &#34;x&#34;"],
  ["R&amp;D", "R&amp;D"],
  ["1 < 2", "1 &lt; 2"],
  ["x > y", "x &gt; y"],
  ["line1\\nline2", "line1 line2"],
  ["line1\nline2", "line1 line2"],
  ["\\x41bc", "Abc"],
  ["\\q stays", "\\q stays"],
  ["100\\% sure", "100\\% sure"],
  ["C:\\\\tmp", "C:\\tmp"],
  ['say \\"hi\\"', "say &#34;hi&#34;"],
  ["it\\'s", "it\\&#39;s"],
  ["a<b>c</b>d", "acd"],
  ["<p>one</p><p>two</p>", "onetwo"],
  ["keep<script>drop()</script>end", "keepend"],
  ["lost<unclosed tail", "lost"],
  ["a<!-- c -->b", "ab"],
  ["<3 you", "&lt;3 you"],
  [`a${esc}[1mbold${esc}[0m`, "abold"],
  ["esc\\x1b[31mred\\x1b[0m", "escred"],
  ["  pad\t\tpad  ", "pad pad"],
  ["\u200b", ""],
  ["soft\u00adhyphen", "softhyphen"],
  ["nb\u00a0sp", "nb sp"],
];

function expectCleaned(pairs: readonly (readonly [string, string])[]): void {
  expect(pairs.map(([input]) => [input, cleanStatusMessage(input)])).toEqual(pairs);
}

describe("cleanStatusMessage, S3.52", () => {
  it.each(vectors)("%j becomes %j", (input, output) => {
    expect(cleanStatusMessage(input)).toBe(output);
  });

  it("step 1: all escapes of Go are resolved", () => {
    expectCleaned([
      ["\\a\\b1\\f2\\r3\\t4\\v5", "1 2 3 4 5"],
      ["\\101\\u00e9\\U0001F600", "Aé😀"],
      ["\\xc3\\xa9 \\303\\251", "é é"],
      ["\\xf0\\x9f\\x98\\x80", "😀"],
    ]);
  });

  it("step 1: bytes that are not UTF-8 become U+FFFD, one for each", () => {
    expect(goUnquote("\\xff|\\xe2\\x82|\\xc3a|\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80|\\xc0\\x80")).toBe(
      "\ufffd|\ufffd\ufffd|\ufffda|\ufffd\ufffd\ufffd|\ufffd\ufffd\ufffd\ufffd|\ufffd\ufffd",
    );
  });

  it.each([
    ["an escape that Go does not have", "\\t\\z"],
    ["an escaped single quote", "\\t\\'"],
    ["an escaped question mark", "\\t\\?"],
    ["a double quote that is not escaped", '\\t"'],
    ["a newline", "\\t\n"],
    ["a backslash at the end", "\\t\\"],
    ["too few hexadecimal digits", "\\t\\x4"],
    ["too few digits of a character", "\\t\\u12"],
    ["a surrogate", "\\t\\ud800"],
    ["a character beyond the last", "\\t\\U00110000"],
    ["an octal byte beyond 255", "\\t\\400"],
    ["too few octal digits", "\\t\\12"],
    ["a digit that is not octal", "\\t\\189"],
  ])("step 1: %s disables it for the whole text", (_what, text) => {
    expect(goUnquote(text)).toBeUndefined();
  });

  it("step 2: tags go, whatever is in them", () => {
    expectCleaned([
      ["a<b title='x > y'>c", "ac"],
      ['a<b title="<c>" d=e/>f', "af"],
      ['a<b =">">c', "a&#34;&gt;c"],
      ["a<br/>b<BR />c", "abc"],
      ["a<b title='x>y", "a"],
      ["a<b x=>c", "ac"],
      ["a</b junk='>'>c", "ac"],
      ["a</>b</ c>d", "abd"],
      ["a<!doctype html>b<?php ?>c<![CDATA[d]]>e", "abce"],
    ]);
  });

  it("step 2: comments end as HTML says", () => {
    expectCleaned([
      ["a<!-->b", "ab"],
      ["a<!--->b", "ab"],
      ["a<!-- - -- > --!>b", "ab"],
      ["a<!-- <b> --->c", "ac"],
      ["a<!-- no end", "a"],
      ["a<!", "a"],
    ]);
  });

  it("step 2: what only looks like the beginning of a tag is text", () => {
    expectCleaned([
      ["a <", "a &lt;"],
      ["a </", "a &lt;/"],
      ["a << b <- c <= d", "a &lt;&lt; b &lt;- c &lt;= d"],
      ["i<é", "i&lt;é"],
      ["<<b>c", "&lt;c"],
    ]);
  });

  it("step 2: the content of scripts, styles and the like goes with them", () => {
    expectCleaned([
      ["a<STYLE>b { c: '</d>' }</Style >e", "ae"],
      ["a<script>b", "a"],
      ["a<script>'</scripted>' <b>c</script\t>d", "ad"],
      ["a<script/>b</script>c", "ac"],
      ["a<iframe>b</iframe>c<object>d<object>e</object>f</object>g", "acg"],
      ["a</script>b", "ab"],
    ]);
  });

  it("step 2: in a title character references are read, and no tags; in xmp neither", () => {
    expectCleaned([
      ["<title>a<b>&lt;c</title>d", "a&lt;b&gt;&lt;cd"],
      ["<xmp>a<b>&lt;c</xmp>d", "a&lt;b&gt;&amp;lt;cd"],
      ["<plaintext>a<b></plaintext>", "a&lt;b&gt;&lt;/plaintext&gt;"],
    ]);
  });

  it("step 2: character references are decoded before the text is escaped", () => {
    expectCleaned([
      ["&lt;b&gt; &quot;x&quot; &apos;", "&lt;b&gt; &#34;x&#34; &#39;"],
      ["&eacute;&hellip;&rarr;&euro;&Alpha;&nbsp;&yuml;", "é…→€Α ÿ"],
      ["&#60;&#x3c;&#X3C;&#233;&#128;", "&lt;&lt;&lt;é€"],
      ["&copy 2024 &notit; &ampx", "© 2024 ¬it; &amp;x"],
      ["&#0;&#xd800;&#x110000;&#99999999999999999999;", "\ufffd\ufffd\ufffd\ufffd"],
      ["&nosuch; &; &# &#x; a&b=c", "&amp;nosuch; &amp;; &amp;# &amp;#x; a&amp;b=c"],
      ["&amp;lt;", "&amp;lt;"],
    ]);
  });

  it("step 3: escape sequences of terminals go", () => {
    expectCleaned([
      [`a${esc}[38;5;196mb${esc}[K${esc}[?25hc`, "abc"],
      [`a${esc}]0;the title\u0007b`, "ab"],
      [`a${esc}]8;;http://x${esc}\\link${esc}]8;;${esc}\\b`, "alinkb"],
      [`a${esc}Pq#0${esc}\\qb`, "aqb"],
      [`a${esc}(Bb${esc}Mc${esc}7d`, "abcd"],
      ["a\u009b31mb", "ab"],
    ]);
  });

  it("step 3: a sequence without an end leaves its text behind", () => {
    expectCleaned([
      [`a${esc}]0;title`, "a]0;title"],
      [`a${esc}[`, "a["],
      [`a${esc}[31é`, "a[31é"],
      [`a${esc}<b`, "a"],
      [`a${esc}< b`, "a&lt; b"],
      [`a${esc}[< b`, "a[&lt; b"],
    ]);
  });

  it("steps 4 to 6: what cannot be seen goes, all white space is one space", () => {
    expectCleaned([
      ["a\u0000b\u0007c\u007fd\u202ee\ufefff\ue000g", "abcdefg"],
      ["a \u200b b", "a b"],
      ["\u2003a\u2028b\u0085c\u3000", "a b c"],
      ["ok\u0301 日本 🎉 ½ €", "ok\u0301 日本 🎉 ½ €"],
      [" \n\t ", ""],
      ["", ""],
    ]);
  });

  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom(..."<>&\"'/!?-=#x;[]\\ \n\r\t\u001b\u009b\u0007\u009d\ud800abz019"),
      fc.constantFrom(
        "<!--",
        "-->",
        "</script>",
        "<script>",
        "<b ",
        "&amp",
        "&#x",
        "\\x",
        "\\u",
        "\\xe2",
        "]0;",
      ),
      fc.string({ unit: "binary" }),
    ),
    { maxLength: 60 },
  );

  it("gives text that is safe in HTML, without runs of white space, for anything", () => {
    fc.assert(
      fc.property(hostile, (pieces) => {
        const cleaned = cleanStatusMessage(pieces.join(""));
        expect(cleaned).not.toMatch(/[<>"'\p{C}]|&(?!(?:amp|lt|gt|#34|#39|#13);)|^\s|\s\s|\s$/u);
      }),
      runs(2_000),
    );
  });

  it("is done with its own output: nothing that was text becomes a tag", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."<>&;\"'abltg /-!") }), (text) => {
        const once = cleanStatusMessage(text);
        expect(cleanStatusMessage(once)).toBe(once);
      }),
      runs(500),
    );
  });

  const repeated = [
    ..."<>&\"'\\\u001b\u009b\u009d \u200b",
    ..."<!|<!--|<!---|--|</|</a|<a |<a b=|<a b='|<a b=' '|<a/|<script>|<script></|<title>|<title></tit".split(
      "|",
    ),
    ..."<object>|&a|&#|&#x|&#x1|&amp|&ampa|\\xff|\\xe2|\\xf0\\x9f|\\u00e9|\\n|\\q|<?|<![CDATA[".split("|"),
    ...[`${esc}[`, `${esc}]`, `${esc}P`, `${esc}[0;`, `${esc}[ `, `${esc} `],
  ];

  it.each(repeated)("160 kB of %j take time in proportion to their length", (piece) => {
    const timeMs = (length: number) => {
      const text = piece.repeat(Math.ceil(length / piece.length));
      const times = [1, 2, 3].map(() => {
        const start = performance.now();
        cleanStatusMessage(text);
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    timeMs(10_000);
    // eight times as much: 64 times as long if it were quadratic. A part of that is allowed to a busy machine.
    expect(timeMs(160_000)).toBeLessThan(24 * timeMs(20_000) + 20);
  });
});
