import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "puppeteer-core";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectAgent } from "../../src/client/index-node.js";
import { browserOfTests, shows, type TestPage, textOf } from "../support/browser.js";
import { buildSourceId, busyAgent, reportEverything, sendLines } from "../support/busy-agent.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { fileWith } from "../support/files.js";
import { tool } from "../support/terminal.js";

const adminToken = "an admin token of the test";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = browserOfTests();

async function plane() {
  return controlPlane(busyAgent, { adminToken, metadataIntervalMs: 20 });
}

async function signedIn(url: string, options: Parameters<typeof browser.open>[0] = {}): Promise<TestPage> {
  const opened = await browser.open(options);
  await opened.page.goto(`${url}/#token=${encodeURIComponent(adminToken)}`);
  await shows(opened.page, "Live");
  return opened;
}

async function onAgent(url: string, agentId: string, options: Parameters<typeof browser.open>[0] = {}) {
  const opened = await signedIn(url, options);
  await goTo(opened.page, `#/agents/${agentId}`);
  await shows(opened.page, "Script timings");
  return opened;
}

async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

/** Chooses a value in the list with the label. */
async function choose(page: Page, label: string, value: string): Promise<void> {
  const list = await page.waitForSelector(`::-p-aria([name="${label}"][role="combobox"])`);
  await list?.select(value);
}

/** What axe finds wrong, as one line for each. */
async function violations(page: Page): Promise<string[]> {
  // evaluated as by the tools of the browser, which the policy of the page does not hold for
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: {
        run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    const found = await checker.run();
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}

/** What the focused element is called. */
async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!(element instanceof HTMLElement)) return "";
    const label = element instanceof HTMLInputElement ? element.labels?.[0]?.innerText : undefined;
    return (element.getAttribute("aria-label") ?? label ?? (element.innerText || element.id)).trim();
  });
}

async function tabTo(page: Page, name: string): Promise<void> {
  for (let pressed = 0; pressed < 40; pressed++) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === name) return;
  }
  throw new Error(`no tab stop is called "${name}"`);
}

describe("the page of serve", { timeout: 60_000 }, () => {
  it("opens with the link that serve prints, keeps the token in its tab, and shows agents as they come and go", async () => {
    const file = await fileWith(`
workspaces:
  - { owner: ada, name: lab, agents: [{ name: main, token: ${token}, apps: [{ slug: web, display_name: Web }] }] }
`);
    const run = tool(["serve", "--listen", "127.0.0.1:0", "--database", "memory", "--workspaces", file]);
    await eventually(() => run.stdout().endsWith("\n"), "the line that it is ready");
    const { url, page: link } = JSON.parse(run.stdout()) as { url: string; page: string };
    await eventually(() => run.stderr().includes(`The page is at ${link}\n`), "the link");
    const { page, problems } = await browser.open();
    await page.goto(link);
    await shows(page, "1 agent in 1 workspace, 0 connected");
    expect(page.url()).toBe(`${url}/#/`);
    const session = connectAgent({ url, token, onConnected: () => {} });
    onTestFinished(async () => void (await session.close()));
    await shows(page, "main connected created agent API 2.10");
    const beside = await dialled({ url }, { role: "a-tool" });
    await shows(page, "a-tool API 2.10");
    await beside.agent.updateAppStatus({ slug: "web", message: "on it" });
    await shows(page, "Web working on it");
    await beside.close();
    await session.close();
    await shows(page, "main disconnected created none");
    await page.reload();
    await shows(page, "main disconnected");
    expect(problems).toEqual([]);
  });

  it("asks for the token where it has none, and says when it is not taken", async () => {
    const { url } = await plane();
    const { page } = await browser.open();
    await page.goto(url);
    await shows(page, "Admin token");
    await page.type("#token", "something else of that length");
    await page.keyboard.press("Enter");
    await shows(page, "The server does not take this token.");
    await page.type("#token", adminToken);
    await page.keyboard.press("Enter");
    await shows(page, "1 agent in 1 workspace");
    expect(await page.evaluate(() => document.cookie + JSON.stringify(localStorage))).toBe("{}");
    await page.click("header button");
    await shows(page, "Admin token");
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).toBe("{}");
  });

  it("shows everything of an agent, each thing in its part", async () => {
    const control = await plane();
    const connection = await dialled(control);
    await dialled(control, { role: "agentwire-logs" });
    await reportEverything(connection);
    await control.api.flush();
    const { page, problems } = await onAgent(control.url, control.agents[0]?.id ?? "");
    const part = (id: string) => `section[aria-labelledby="${id}"]`;
    await shows(page, "connected ready", ".heading");
    await shows(page, "Version v1.2.3 API version 2.10 Machine linux amd64", part("facts"));
    await shows(page, "agentwire-logs 2.10 127.0.0.1", part("sessions"));
    await shows(page, "Assistant assistant working reading the tests", part("apps"));
    await shows(page, "Load 0.42", part("metadata"));
    // ages grow while nothing comes
    const isOlder = async () =>
      /Disk df: not found \d+ s ago Load/.test(await textOf(page, `${part("metadata")} tbody`));
    await eventually(isOlder, "the age of the metadata");
    await shows(page, "green text", part("logs"));
    await shows(page, "exit code 1", part("scripts"));
    expect(await page.$$eval(`${part("scripts")} svg.bar rect`, (bars) => bars.length)).toBe(3);
    await shows(page, "POST https://evil.example/steal", part("boundary"));
    await shows(page, "2 requests, 1 denied", part("boundary"));
    await shows(page, "ssh 192.0.2.7", part("connections"));
    expect(await page.$eval(`${part("resources")} svg`, (chart) => chart.getAttribute("aria-label"))).toMatch(
      /^Memory: \d+ % of 8.0 GiB now, 38 % to 67 % in 3 min$/,
    );
    expect(
      await page.$$eval(".tree .tree a", (links) => links.map(({ textContent }) => textContent)),
    ).toEqual(["devcontainer"]);
    await page.click(".tree .tree a");
    await shows(page, "devcontainer", "h1");
    expect(problems).toEqual([]);
  });

  it("follows the log, searches it, and says in a sentence that its limit is reached", async () => {
    const control = await plane();
    const connection = await dialled(control);
    const { page, problems } = await onAgent(control.url, control.agents[0]?.id ?? "");
    await sendLines(connection, [
      ["INFO", "fetching packages"],
      ["ERROR", "the compiler failed"],
    ]);
    await shows(page, "the compiler failed", ".lines");
    const many = Array.from({ length: 900 }, (_, i) => ["INFO", `step ${i} is done`] as const);
    await sendLines(connection, many);
    await shows(page, "902 lines");
    await shows(page, "step 899 is done", ".lines");
    const isAtEnd = () =>
      page.$eval(".lines", (box) => box.scrollTop + box.clientHeight >= box.scrollHeight - 2);
    await eventually(isAtEnd, "the end of the log");
    expect(await page.$$eval(".line", (lines) => lines.length)).toBe(400);
    await page.type('[aria-labelledby="logs"] input[type="search"]', "COMPILER");
    await shows(page, "1 of 902 lines match");
    expect(await page.$$eval("mark", (marks) => marks.map(({ textContent }) => textContent))).toEqual([
      "compiler",
    ]);
    await sendLines(connection, [["WARN", "another compiler"]]);
    await shows(page, "2 of 903 lines match");
    await choose(page, "From level", "error");
    await shows(page, "1 of 903 lines match");
    await choose(page, "From level", "debug");
    await choose(page, "Source", buildSourceId);
    await shows(page, "2 of 903 lines match");
    const tooMuch = Array.from({ length: 11 }, () => ["INFO", "x".repeat(100_000)] as const);
    expect((await sendLines(connection, tooMuch)).logLimitExceeded).toBe(true);
    await shows(page, "Log limit reached; the script itself goes on.");
    expect(problems).toEqual([]);
  });

  it("calls the agent API itself over a WebSocket, in a role of its own", async () => {
    const control = await plane();
    const agentId = control.agents[0]?.id ?? "";
    const { page, problems } = await signedIn(control.url);
    await goTo(page, `#/agents/${agentId}/direct`);
    await shows(page, "Direct connection");
    await page.click("button.primary");
    await shows(page, "Connected, API 2.10");
    await shows(page, "Agent of the manifest main Workspace ada / dev");
    expect(control.api.sessionCount).toBe(1);
    expect((await control.store.agent(agentId))?.connection.firstConnectedAtUs).toBeUndefined();
    await choose(page, "App", "editor");
    await choose(page, "State", "idle");
    await page.type(".grow input", "said by the browser");
    await page.keyboard.press("Enter");
    await shows(page, "Sent.");
    expect(await control.store.appStatuses({ agentId }, 1)).toMatchObject([
      { state: "idle", message: "said by the browser" },
    ]);
    await goTo(page, "#/");
    await shows(page, "Editor idle said by the browser");
    await eventually(() => control.api.sessionCount === 0, "the end of the connection");
    expect(problems).toEqual([]);
  });

  it("shows two hundred agents in pages, finds one of them, and hears of it", async () => {
    const control = await plane();
    const agents = await control.store.define(
      Array.from({ length: 40 }, (_, i) => ({
        owner: "bob",
        name: `workspace-${i}`,
        agents: Array.from({ length: 5 }, (_, j) => ({ name: `agent-${j}` })),
      })),
    );
    await Promise.all(agents.map((agent) => dialled({ url: control.url }, { token: agent.token })));
    const { page, problems } = await signedIn(control.url);
    await shows(page, "201 agents in 41 workspaces, 200 connected");
    const rows = () => page.$$eval("table.agents tbody tr:not(.group)", (all) => all.length);
    expect(await rows()).toBe(50);
    await shows(page, "Page 1 of 5");
    await page.click(".pager button:last-child");
    await shows(page, "Page 2 of 5");
    await page.type('input[type="search"]', "workspace-33/agent-4");
    await shows(page, "1 of them shown");
    expect(await rows()).toBe(1);
    const lucky = agents.find(({ workspace, agent }) => workspace === "workspace-33" && agent === "agent-4");
    await dialled({ url: control.url }, { token: lucky?.token ?? "", role: "late-tool" });
    await shows(page, "late-tool API 2.10");
    await choose(page, "Status", "disconnected");
    await shows(page, "No agent fits.");
    expect(problems).toEqual([]);
  });

  it("says that the connection is lost, and goes on by itself when the server is back", async () => {
    const control = await plane();
    const { page } = await signedIn(control.url);
    await control.close();
    await shows(page, "Connection lost, trying again");
    const again = await controlPlane(busyAgent, { adminToken, port: Number(new URL(control.url).port) });
    expect(again.url).toBe(control.url);
    await shows(page, "Live");
    await shows(page, "1 agent in 1 workspace");
  });

  it("runs no script that is not its own", async () => {
    const { url } = await plane();
    const { page, problems } = await signedIn(url);
    const hasRun = await page.evaluate(async () => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'taken over'";
      document.body.append(script);
      const image = document.createElement("img");
      image.src = "https://elsewhere.example/image.png";
      await new Promise((resolve) => {
        image.onerror = resolve;
        document.body.append(image);
      });
      return document.title;
    });
    expect(hasRun).toBe("Agents – agentwire");
    expect(problems).toHaveLength(2);
    for (const problem of problems) expect(problem).toContain("Content Security Policy");
  });

  it("can be used with the keyboard alone", async () => {
    const control = await plane();
    const connection = await dialled(control);
    await reportEverything(connection);
    const { page } = await browser.open();
    await page.goto(control.url);
    await tabTo(page, "Admin token");
    await page.keyboard.type(adminToken);
    await tabTo(page, "Sign in");
    await page.keyboard.press("Space");
    await shows(page, "Live");
    await page.keyboard.press("Tab");
    await tabTo(page, "main");
    await page.keyboard.press("Enter");
    await shows(page, "Script timings");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
    await tabTo(page, "Search the log");
    await page.keyboard.type("compiler");
    await shows(page, "1 of 4 lines match");
    await tabTo(page, "Lines of the log");
    const outline = await page.evaluate(
      () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
    );
    expect(outline).toBe("solid");
    await page.keyboard.down("Shift");
    await tabTo(page, "Skip to content");
    await page.keyboard.up("Shift");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
  });

  for (const scheme of ["light", "dark"] as const) {
    it(`has nothing that axe finds wrong, in ${scheme}, wide and narrow`, async () => {
      const control = await plane();
      const agentId = control.agents[0]?.id ?? "";
      const connection = await dialled(control);
      await reportEverything(connection);
      const tooMuch = Array.from({ length: 11 }, () => ["INFO", "x".repeat(100_000)] as const);
      await sendLines(connection, tooMuch);
      await control.api.flush();
      for (const width of [1200, 390]) {
        const { page } = await browser.open({ scheme, width });
        await page.goto(control.url);
        await shows(page, "Admin token");
        expect(await violations(page)).toEqual([]);
        await page.type("#token", adminToken);
        await page.keyboard.press("Enter");
        await shows(page, "reading the tests");
        expect(await violations(page)).toEqual([]);
        await goTo(page, `#/agents/${agentId}`);
        await shows(page, "Log limit reached");
        await shows(page, "exit code 1");
        expect(await violations(page)).toEqual([]);
        await goTo(page, `#/agents/${agentId}/direct`);
        await page.waitForSelector("button.primary");
        await page.click("button.primary");
        await shows(page, "Connected, API 2.10");
        expect(await violations(page)).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow).toBe(0);
      }
    });
  }
});
