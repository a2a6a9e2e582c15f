import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type OnOlderServers, onOlderServers } from "../../src/client/index-node.js";
import { type LadderEntry, ladder } from "../../src/version/index.js";
import { root } from "./examples.js";

it("docs/versions.md is what tools/versions-page.mjs writes", async () => {
  const tool = (await import(`${root}tools/versions-page.mjs`)) as {
    versionsPage(facts: { ladder: LadderEntry[]; rpcs: OnOlderServers[] }): string;
  };
  const page = tool.versionsPage({ ladder: ladder(), rpcs: onOlderServers() });
  expect(readFileSync(`${root}docs/versions.md`, "utf8")).toBe(page);
});
