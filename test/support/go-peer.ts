import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, inject, onTestFinished } from "vitest";

const descriptors = fileURLToPath(new URL("../contract/newest.binpb", import.meta.url));

/** A suite that needs the Go libraries; skipped where Go is missing. */
export const describeWithGo = describe.skipIf(inject("goPeer") === "");

export type Facts = Record<string, unknown>;

/** A command that the peer could not do, with what it said besides. */
export class GoPeerError extends Error {
  readonly facts: Facts;

  constructor(op: string, facts: Facts) {
    super(`${op}: ${facts["error"]}`);
    this.facts = facts;
  }
}

interface EventWaiter {
  matches(event: Facts): boolean;
  resolve(event: Facts): void;
}

/**
 * The real Go libraries as an instrument: one process, commands in and results out as lines of JSON. What it
 * can do is in test/interop/peer/README.md.
 */
export class GoPeer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #pending = new Map<
    number,
    { op: string; resolve(facts: Facts): void; reject(error: Error): void }
  >();
  readonly #waiters = new Set<EventWaiter>();
  /** All notices so far. */
  readonly events: Facts[] = [];
  #nextId = 1;

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    createInterface({ input: process.stdout }).on("line", (line) => this.#onLine(JSON.parse(line) as Facts));
    process.on("exit", (code) => {
      for (const { op, reject } of this.#pending.values())
        reject(new Error(`${op}: the Go peer ended (${code})`));
      this.#pending.clear();
    });
  }

  /** Starts a peer that ends with the test. */
  static start(): GoPeer {
    const child = spawn(inject("goPeer"), ["--desc", descriptors], { stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.pipe(process.stderr);
    const peer = new GoPeer(child);
    onTestFinished(() => peer.stop());
    return peer;
  }

  /**
   * Does a command.
   * @throws GoPeerError when the peer says that it failed.
   */
  do(op: string, parameters: Facts = {}): Promise<Facts> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { op, resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ id, op, ...parameters })}\n`);
    });
  }

  /** The number that a command gives as its `handle`. */
  async handle(op: string, parameters: Facts = {}): Promise<number> {
    return Number((await this.do(op, parameters))["handle"]);
  }

  /** The first notice, past or coming, of a kind and with these members. */
  event(kind: string, members: Facts = {}): Promise<Facts> {
    const matches = (event: Facts) =>
      event["event"] === kind && Object.entries(members).every(([name, value]) => event[name] === value);
    const past = this.events.find(matches);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve) => this.#waiters.add({ matches, resolve }));
  }

  /** Warnings and errors that the libraries logged, besides those of a session that is being closed. */
  get complaints(): string[] {
    return this.events
      .filter((event) => event["event"] === "log" && event["closing"] !== true)
      .map((event) => String(event["line"]));
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin.end();
    await exited;
  }

  #onLine(facts: Facts): void {
    if (facts["event"] !== undefined) {
      this.events.push(facts);
      for (const waiter of this.#waiters) {
        if (!waiter.matches(facts)) continue;
        this.#waiters.delete(waiter);
        waiter.resolve(facts);
      }
      return;
    }
    const pending = this.#pending.get(Number(facts["id"]));
    this.#pending.delete(Number(facts["id"]));
    if (facts["ok"] === true) pending?.resolve(facts);
    else pending?.reject(new GoPeerError(pending.op, facts));
  }
}
