import type { AgentIdentity, AgentSession, ControlPlane, RpcSession, ServerEvent } from "../server/index.js";
import { isAgentRole } from "../server/index.js";
import { type Paint, paintFor, printable } from "./colors.js";
import type { Terminal } from "./command.js";

const logPage = 1000;
const statusPage = 20;
const topicWidth = 12;

const logStyles = { trace: "gray", debug: "gray", info: "reset", warn: "yellow", error: "red" } as const;
const statusStyles = { working: "blue", idle: "yellow", complete: "green", failure: "red" } as const;

/**
 * Prints what happens on a control plane, one line each: connections with version and role, lifecycle, logs,
 * metadata, apps. Events say only that something has changed; what it is now is read from the store.
 */
export class LiveView {
  readonly #plane: Pick<ControlPlane, "store" | "events" | "agents">;
  readonly #print: (line: string) => void;
  readonly #paint: Paint;
  readonly #names = new Map<string, string>();
  readonly #lastLogIds = new Map<string, number>();
  readonly #lastStatusAtUs = new Map<string, number>();
  /** What was shown last, by what it is about. */
  readonly #shown = new Map<string, string>();
  readonly #unsubscribe: () => void;
  /** Lines come in the order of the events. */
  #printing: Promise<void> = Promise.resolve();

  constructor(plane: Pick<ControlPlane, "store" | "events" | "agents">, terminal: Terminal) {
    this.#plane = plane;
    this.#print = (line) => void terminal.stderr.write(`${line}\n`);
    this.#paint = paintFor(terminal.stderr, terminal);
    for (const { id, workspace, agent } of plane.agents) this.#names.set(id, `${workspace}/${agent}`);
    this.#unsubscribe = plane.events.onPublish((event) => this.#enqueue(() => this.#show(event)));
  }

  /** Shows a session from its beginning to its end. @returns what to call at the end. */
  session(who: AgentSession, { apiVersion, role }: RpcSession<AgentIdentity>): () => void {
    this.#names.set(who.agentId, `${who.workspaceName}/${who.agentName}`);
    const isAgent = isAgentRole(role);
    const shownRole = role === "" ? "agent" : printable(role);
    const facts = `API ${apiVersion}, role ${shownRole}${isAgent ? "" : " (beside the agent)"}`;
    const style = isAgent ? "green" : "cyan";
    this.#enqueue(() => this.#line(who.agentId, "connected", this.#paint(style, facts)));
    return () => {
      const text = `role ${shownRole}`;
      this.#enqueue(() => this.#line(who.agentId, "left", this.#paint(isAgent ? "yellow" : "gray", text)));
    };
  }

  /** Prints what is left and says no more. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#printing;
  }

  #enqueue(show: () => void | Promise<void>): void {
    this.#printing = this.#printing.then(show).catch(() => {});
  }

  async #show(event: ServerEvent): Promise<void> {
    switch (event.topic) {
      case "logs":
        return this.#showLogs(event.agentId);
      case "metadata":
        for (const agentId of event.agentIds) await this.#showMetadata(agentId);
        return;
      case "workspace":
        if (event.agentId === undefined) return;
        if (event.kind === "agt_lifecycle_update") return this.#showLifecycle(event.agentId);
        if (event.kind === "agt_app_status_update") return this.#showAppStatus(event.agentId);
        if (event.kind === "app_health") return this.#showAppHealth(event.agentId);
        if (event.kind === "agt_logs_overflow") {
          this.#line(
            event.agentId,
            "logs",
            this.#paint("red", "limit reached; scripts go on, their output is not kept"),
          );
        }
    }
  }

  async #showLogs(agentId: string): Promise<void> {
    const { store } = this.#plane;
    const sources = new Map(
      (await store.logSources(agentId)).map(({ id, displayName }) => [id, displayName]),
    );
    for (;;) {
      const after = this.#lastLogIds.get(agentId) ?? 0;
      const logs = await store.logs(agentId, after, logPage);
      for (const { id, level, output, logSourceId } of logs) {
        this.#lastLogIds.set(agentId, id);
        const source = sources.get(logSourceId);
        const prefix = source === undefined ? "" : this.#paint("gray", `[${printable(source)}] `);
        this.#line(agentId, "log", prefix + this.#paint(logStyles[level], printable(output)));
      }
      if (logs.length < logPage) return;
    }
  }

  async #showMetadata(agentId: string): Promise<void> {
    const { metadata } = await this.#plane.store.manifestRecords(agentId);
    for (const { key, displayName, value, error } of metadata) {
      const text = error === "" ? value.trim() : `${value.trim()} (${error})`.trim();
      if (text !== "") this.#change(agentId, "metadata", key, `${displayName || key} = ${printable(text)}`);
    }
  }

  async #showLifecycle(agentId: string): Promise<void> {
    const agent = await this.#plane.store.agent(agentId);
    if (agent === undefined) return;
    const state = agent.lifecycleState;
    const style = state === "ready" ? "green" : /error|timeout/.test(state) ? "red" : "yellow";
    this.#change(agentId, "lifecycle", "", this.#paint(style, state));
  }

  async #showAppStatus(agentId: string): Promise<void> {
    const { store } = this.#plane;
    const lastAtUs = this.#lastStatusAtUs.get(agentId) ?? 0;
    const newest = await store.appStatuses({ agentId }, statusPage);
    const slugs = new Map((await store.apps(agentId)).map(({ id, slug }) => [id, slug]));
    for (const { appId, state, message, uri, createdAtUs } of [...newest].reverse()) {
      if (createdAtUs <= lastAtUs) continue;
      this.#lastStatusAtUs.set(agentId, createdAtUs);
      const shownUri = uri === undefined || uri === "" ? "" : ` ${printable(uri)}`;
      const shownState = this.#paint(statusStyles[state], state);
      const text = `${slugs.get(appId) ?? "app"} is ${shownState}: ${printable(message)}${shownUri}`;
      this.#line(agentId, "app status", text);
    }
  }

  async #showAppHealth(agentId: string): Promise<void> {
    for (const { slug, health } of await this.#plane.store.apps(agentId)) {
      if (health !== "disabled") this.#change(agentId, "app health", slug, `${slug} is ${health}`);
    }
  }

  /** Prints what is not as it was. */
  #change(agentId: string, topic: string, key: string, text: string): void {
    const about = `${agentId} ${topic} ${key}`;
    if (this.#shown.get(about) === text) return;
    this.#shown.set(about, text);
    this.#line(agentId, topic, text);
  }

  #line(agentId: string, topic: string, text: string): void {
    const time = this.#paint("gray", new Date().toTimeString().slice(0, 8));
    const width = Math.max(...[...this.#names.values()].map((name) => name.length));
    const name = (this.#names.get(agentId) ?? agentId).padEnd(width);
    this.#print(`${time}  ${name}  ${this.#paint("bold", topic.padEnd(topicWidth))}${text}`);
  }
}
