import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { ProgressLine } from "../../src/cli/progress.js";

/** Standard error, and what was written to it. */
function output(isTTY: boolean) {
  let written = "";
  const stderr = Object.assign(
    new PassThrough().on("data", (chunk: Buffer) => {
      written += chunk.toString();
    }),
    { isTTY },
  );
  return { stderr, written: () => written };
}

it("is one line on a terminal, written anew in its place and taken away at the end", () => {
  const { stderr, written } = output(true);
  const line = new ProgressLine({ stderr, env: {} });
  line.show("step 1");
  line.show("step 2, at once after it");
  line.clear();
  line.show("\u001b[31mstep 3");
  line.clear();
  line.clear();
  expect(written()).toBe("\r\u001b[Kstep 1\r\u001b[K\r\u001b[Kstep 3\r\u001b[K");
});

it.each([
  ["a pipe", false, {}],
  ["a terminal without control characters", true, { TERM: "dumb" }],
])("is nothing in %s", (_what, isTTY, env) => {
  const { stderr, written } = output(isTTY);
  const line = new ProgressLine({ stderr, env });
  line.show("step 1");
  line.clear();
  expect(written()).toBe("");
});
