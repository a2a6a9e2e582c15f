import { existsSync } from "node:fs";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { afterAll, beforeAll, beforeEach, onTestFinished } from "vitest";

const waitMs = 25_000;
const programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** A page of a browser, and what went wrong in it. */
export interface TestPage {
  page: Page;
  /** Errors and warnings of its console, exceptions, and what its security policy refused. */
  problems: string[];
}

/** The browser of the tests of a `describe`. */
export interface BrowserOfTests {
  /** A new page that is closed with the test. Nothing of others is kept in it. @throws Error before the first test. */
  open(options?: { width?: number; height?: number; scheme?: "light" | "dark" }): Promise<TestPage>;
}

/**
 * Gives the tests of the `describe` in which it is called a headless Chromium: `CHROMIUM` says which, and by default it
 * is that of the system. Where there is none they are skipped, with a loud word.
 */
export function browserOfTests(): BrowserOfTests {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  beforeEach(({ skip }) => skip(browser === undefined, "Chromium is not installed"));
  afterAll(() => browser?.close());
  return {
    async open({ width = 1200, height = 900, scheme = "light" } = {}) {
      if (browser === undefined) throw new Error("the browser is not there yet: ask for it within a test");
      const context = await browser.createBrowserContext();
      onTestFinished(() => context.close());
      const page = await context.newPage();
      await page.setViewport({ width, height });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      return { page, problems: problemsOf(page) };
    },
  };
}

/** Starts Chromium; undefined, and a loud word, where there is none. */
async function startBrowser(): Promise<Browser | undefined> {
  const executablePath = process.env["CHROMIUM"] ?? programs.find((path) => existsSync(path));
  if (executablePath === undefined) {
    console.warn("\n*** Chromium is not installed: the tests of pages are SKIPPED. ***\n");
    return undefined;
  }
  const isRoot = process.getuid?.() === 0;
  return puppeteer.launch({
    executablePath,
    args: ["--disable-dev-shm-usage", "--disable-gpu", ...(isRoot ? ["--no-sandbox"] : [])],
  });
}

/** Waits until the page, or a part of it, has a text. */
export async function shows(page: Page, text: string, selector = "body"): Promise<void> {
  try {
    await page.waitForFunction(
      (where: string, wanted: string) =>
        [...document.querySelectorAll<HTMLElement>(where)].some((one) =>
          one.innerText.replace(/\s+/g, " ").includes(wanted),
        ),
      { timeout: waitMs },
      selector,
      text,
    );
  } catch {
    throw new Error(`${selector} does not show "${text}": ${await textOf(page)}`);
  }
}

/** The text of a page, or of a part of it, as it is seen. */
export async function textOf(page: Page, selector = "body"): Promise<string> {
  return page.evaluate(
    (where) => document.querySelector<HTMLElement>(where)?.innerText.replace(/\s+/g, " ").trim() ?? "",
    selector,
  );
}

function problemsOf(page: Page): string[] {
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warn") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return problems;
}
