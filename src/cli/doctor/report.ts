import { unlessAborted } from "../../client/until-aborted.js";
import { errorText } from "../../rpc/error-text.js";
import { hideKnownSecrets } from "../../rpc/known-secrets.js";
import { paintFor, printable } from "../colors.js";
import { type Terminal, writeJson } from "../command.js";
import { ProgressLine } from "../progress.js";

/** The steps of an examination, in their order. */
const stepNames = [
  "url",
  "dns",
  "tcp",
  "tls",
  "http",
  "clock",
  "token",
  "version",
  "websocket",
  "ping",
  "call",
  "speed",
  "watch",
] as const;

export type StepName = (typeof stepNames)[number];

/** How a step came out; `warn` is for what works, and may be meant so. */
export type StepStatus = "ok" | "warn" | "fail" | "skip";

/** Figures and names for programs. */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What a step has seen. */
export interface Seen<T> {
  value: T;
  /** For people, one sentence without its full stop. */
  saw: string;
  /** What should be done all the same: makes the step a warning. */
  advice?: string | undefined;
  facts?: Facts;
}

/** A step that came out badly: what was seen, and what to do. */
export class Problem extends Error {
  readonly advice: string;
  readonly facts: Facts;

  constructor(saw: string, advice: string, facts: Facts = {}) {
    super(saw);
    this.name = "Problem";
    this.advice = advice;
    this.facts = facts;
  }
}

/** A step has come out badly, and what comes after it cannot be done. The report has it already. */
export class Stopped extends Error {}

interface StepResult {
  step: StepName;
  status: StepStatus;
  saw: string;
  advice?: string | undefined;
  tookMs: number;
  facts?: Facts;
}

const width = Math.max(...stepNames.map((name) => name.length)) + 2;
const styles = { ok: "green", warn: "yellow", fail: "red", skip: "gray" } as const;

/** Makes the steps one after the other, and says of each what was seen: as it comes for people, at the end as JSON. */
export class Report {
  readonly #terminal: Terminal;
  readonly #isJson: boolean;
  readonly #stepTimeoutMs: number;
  readonly #progress: ProgressLine;
  readonly #results: StepResult[] = [];
  readonly #secrets: string[] = [];

  constructor(terminal: Terminal, { isJson, stepTimeoutMs }: { isJson: boolean; stepTimeoutMs: number }) {
    this.#terminal = terminal;
    this.#isJson = isJson;
    this.#stepTimeoutMs = stepTimeoutMs;
    this.#progress = new ProgressLine(terminal);
  }

  /** Keeps texts out of all that is said from now on. */
  hide(...secrets: readonly string[]): void {
    this.#secrets.push(...secrets.filter((secret) => secret !== ""));
  }

  /**
   * Makes a step.
   * @param late what to do where it does not end in time.
   * @param timeoutMs instead of that of the report.
   * @throws Stopped when it came out badly; the signal's reason when the terminal ended it.
   */
  async step<T>(
    name: StepName,
    late: string,
    run: (signal: AbortSignal) => Promise<Seen<T>> | Seen<T>,
    timeoutMs = this.#stepTimeoutMs,
  ): Promise<T> {
    this.#progress.show(`${name} …`);
    const startedAtMs = performance.now();
    const tooLate = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([tooLate, this.#terminal.signal]);
    try {
      const { value, saw, advice, facts } = await unlessAborted(Promise.resolve(run(signal)), signal);
      this.#add(name, advice === undefined ? "ok" : "warn", startedAtMs, { saw, advice, facts });
      return value;
    } catch (error) {
      this.#terminal.signal.throwIfAborted();
      const problem = tooLate.aborted
        ? new Problem(`no answer within ${timeoutMs / 1000} s`, late)
        : asProblem(error);
      this.#add(name, "fail", startedAtMs, {
        saw: problem.message,
        advice: problem.advice,
        facts: problem.facts,
      });
      throw new Stopped(name);
    } finally {
      this.#progress.clear();
    }
  }

  /** Makes a step that others do not need: goes on when it came out badly. */
  async aside(name: StepName, run: () => Seen<void>): Promise<void> {
    try {
      await this.step(name, "", run);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    }
  }

  /** Says that a step is not made, and why. */
  skip(name: StepName, why: string): void {
    this.#add(name, "skip", performance.now(), { saw: why });
  }

  /** Shows how far a long step is. */
  progress(text: string): void {
    this.#progress.show(text);
  }

  /** Says of what has not been made that it was skipped, and what came out. @returns whether all is well. */
  finish(url: string): boolean {
    const failed = this.#results.filter(({ status }) => status === "fail").map(({ step }) => step);
    const done = new Set(this.#results.map(({ step }) => step));
    for (const name of stepNames) {
      if (!done.has(name)) this.skip(name, `not possible without ${failed.at(-1) ?? "the steps before"}`);
    }
    const isHealthy = failed.length === 0;
    const warnings = this.#results.filter(({ status }) => status === "warn").length;
    if (this.#isJson) {
      writeJson(this.#terminal, { healthy: isHealthy, url: this.#shown(url), steps: this.#results });
    } else {
      const paint = paintFor(this.#terminal.stdout, this.#terminal);
      const shownWarnings = warnings === 0 ? "" : `, ${warnings} to look at`;
      const verdict = isHealthy
        ? paint("green", `healthy${shownWarnings}`)
        : paint("red", `something is wrong: ${failed.join(", ")}${shownWarnings}`);
      this.#terminal.stdout.write(`${verdict}\n`);
    }
    return isHealthy;
  }

  #add(
    step: StepName,
    status: StepStatus,
    startedAtMs: number,
    { saw, advice, facts = {} }: { saw: string; advice?: string | undefined; facts?: Facts | undefined },
  ): void {
    const result: StepResult = {
      step,
      status,
      saw: this.#shown(saw),
      ...(advice === undefined ? {} : { advice: this.#shown(advice) }),
      tookMs: Math.round(10 * (performance.now() - startedAtMs)) / 10,
      facts: this.#shownFacts(facts),
    };
    this.#results.push(result);
    if (!this.#isJson) this.#print(result);
  }

  #print({ step, status, saw, advice, tookMs }: StepResult): void {
    this.#progress.clear();
    const paint = paintFor(this.#terminal.stdout, this.#terminal);
    const time = status === "skip" ? "" : paint("gray", ` (${tookMs} ms)`);
    const mark = paint(styles[status], status.padEnd(6));
    this.#terminal.stdout.write(`${mark}${step.padEnd(width)}${saw}${time}\n`);
    if (advice !== undefined) this.#terminal.stdout.write(`${" ".repeat(6 + width)}→ ${advice}\n`);
  }

  #shown(text: string): string {
    return hideKnownSecrets(printable(text.replace(/\s+/g, " ")), this.#secrets);
  }

  #shownFacts(facts: Facts): Facts {
    return Object.fromEntries(
      Object.entries(facts).map(([name, value]) => [
        name,
        typeof value === "string" ? this.#shown(value) : value,
      ]),
    );
  }
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(errorText(error), "this is nothing that doctor knows; the text is all there is");
}
