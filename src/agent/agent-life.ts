import { setMaxListeners } from "node:events";
import {
  type AgentConnection,
  connectAgent,
  isUnimplemented,
  type LifecycleName,
  LifecycleSender,
  LogSender,
  type Manifest,
  type ReconnectingSession,
  type Sender,
  type SessionEnd,
} from "../client/index-node.js";
import { LinkedAbort } from "../client/linked-abort.js";
import { unsentOf } from "../client/session/states.js";
import { TimeLimit } from "../client/time-limit.js";
import { unlessAborted } from "../client/until-aborted.js";
import { formatUuid, nilUuid } from "../codec/index.js";
import { asError, errorText } from "../rpc/error-text.js";
import { formatVersion } from "../version/index.js";
import type { AgentOptions } from "./agent-options.js";
import type { AgentEvent } from "./events.js";
import { Host } from "./host.js";
import type { AgentPart, StageEnd } from "./part.js";
import { partsOf } from "./parts.js";
import { makeScriptFolder } from "./scripts/script-folder.js";
import type { SubAgents } from "./sub-agents/sub-agents.js";
import { withinTime } from "./time-limit.js";
import { writeSecretFiles } from "./workspace/secret-files.js";
import { expandDirectory } from "./workspace/workplace.js";

/** C4.86, step 8. */
const lastReportsMs = 5000;
/** A part that does not open, or close, is not waited for any longer. */
const partOpenMs = 20_000;
const partCloseMs = 20_000;

const startStates = { ok: "ready", error: "start_error", timeout: "start_timeout" } as const;
const stopStates = { ok: "off", error: "shutdown_error", timeout: "shutdown_timeout" } as const;

/** One life of an agent, from its first dial to `off`. A workspace that is given to somebody begins another. */
export class AgentLife {
  /** Resolves when all is over. Never rejects. */
  readonly ended: Promise<SessionEnd>;
  readonly #options: AgentOptions;
  readonly #subAgents: SubAgents;
  readonly #lifecycle: LifecycleSender;
  readonly #logs: LogSender;
  /** Ends when the agent begins to stop. C4.2. */
  readonly #inUse = new AbortController();
  /** What is there before the first dial. */
  readonly #opened: Promise<Host>;
  #parts: AgentPart[] = [];
  #senders: readonly Sender[] = [];
  #session: ReconnectingSession | undefined;
  #hasConnected = false;
  /** From the first manifest on. */
  #begun: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: AgentOptions, subAgents: SubAgents) {
    this.#options = options;
    this.#subAgents = subAgents;
    const warn = (text: string) => this.#tell({ kind: "warning", text });
    this.#lifecycle = new LifecycleSender({ onWarning: warn });
    this.#logs = new LogSender({
      ...options.logs,
      onLimitReached: () => {
        warn("the server takes no more logs of this agent; scripts go on without");
        options.logs?.onLimitReached?.();
      },
    });
    // there may be any number of parts, scripts, keys and apps, and each listens
    setMaxListeners(0, this.#inUse.signal);
    this.#opened = this.#open();
    this.#opened.catch(() => {});
    this.ended = this.#live().catch((error: unknown) => ({ error: asError(error), unsent: [] }));
  }

  get state(): LifecycleName {
    return this.#lifecycle.state;
  }

  /** Ends it in order. C4.86. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #live(): Promise<SessionEnd> {
    const host = await this.#opened;
    try {
      // a stop may come before the first dial
      if (!this.#inUse.signal.aborted) this.#session = this.#connect(host);
      const end = await this.#session?.ended;
      // ended by itself, or in order: what is left of the agent ends now
      await this.stop();
      // the session's own count is as old as its end; a part may have had more to say after that
      const unsent = unsentOf(this.#senders);
      if (unsent.length > 0) this.#tell({ kind: "unsent", unsent });
      return { error: end?.error, unsent };
    } finally {
      await this.stop();
      await host.scriptFolder.remove().catch((error: unknown) => {
        this.#tell({ kind: "warning", text: `script folder: ${errorText(error)}` });
      });
    }
  }

  #connect(host: Host): ReconnectingSession {
    const { dial, backoff, unauthorizedGraceMs } = this.#options;
    this.#senders = [this.#logs, this.#lifecycle, ...this.#parts.flatMap(({ senders = [] }) => senders)];
    const session = connectAgent({
      ...dial,
      version: "negotiate",
      role: "agent",
      ...(backoff === undefined ? {} : { backoff }),
      ...(unauthorizedGraceMs === undefined ? {} : { unauthorizedGraceMs }),
      senders: this.#senders,
      onConnected: (connection, signal) => this.#use(host, connection, signal),
    });
    void this.#tellStates(session);
    return session;
  }

  async #open(): Promise<Host> {
    const folder = await makeScriptFolder(this.#options.commands ?? {});
    const host = new Host(this.#options, folder, this.#logs, this.#inUse.signal);
    try {
      const { parts = {}, more = [] } = this.#options;
      for (const part of partsOf(parts, more, host, this.#subAgents)) await this.#openPart(part);
    } catch (error) {
      await folder.remove();
      throw error;
    }
    host.parts = this.#parts;
    return host;
  }

  async #openPart(part: AgentPart): Promise<void> {
    const { signal } = this.#inUse;
    if (signal.aborted) return;
    const limit = new TimeLimit(partOpenMs, signal, `not open within ${partOpenMs} ms`);
    try {
      // what opens too late is closed
      const close = () => void this.#careful(part, () => part.close?.());
      await unlessAborted((async () => part.open?.())(), limit.signal, close);
      this.#parts.push(part);
    } catch (error) {
      if (!signal.aborted)
        this.#tell({ kind: "warning", text: `${part.name} is left out: ${errorText(error)}` });
    } finally {
      limit.release();
    }
  }

  /** One connection, until it ends or the agent begins to stop. C4.28. */
  async #use(host: Host, connection: AgentConnection, connected: AbortSignal): Promise<void> {
    this.#hasConnected = true;
    const scope = new LinkedAbort(connected, this.#inUse.signal);
    const { signal } = scope;
    setMaxListeners(0, signal);
    try {
      await this.#takeManifest(host, connection, signal);
      // an agent that has been told to stop meanwhile begins nothing any more
      signal.throwIfAborted();
      this.#begun ??= this.#begin();
      await Promise.all(this.#parts.map((part) => whileInUse(part, connection, signal)));
    } catch (error) {
      if (!this.#inUse.signal.aborted) throw error;
    } finally {
      // where one part has failed the others still go on
      scope.abort(new Error("the connection is given up"));
      scope.release();
    }
  }

  async #takeManifest(host: Host, { agent }: AgentConnection, signal: AbortSignal): Promise<void> {
    const manifest = await agent.getManifest({}, { signal });
    if ((formatUuid(manifest.agentId) ?? nilUuid) === nilUuid) {
      throw new Error("GetManifest: the manifest has no agent id");
    }
    const startup = {
      version: this.#options.buildVersion ?? "v0.0.0",
      expandedDirectory: expandDirectory(manifest.directory),
      subsystems: [...(this.#options.subsystems ?? [])],
    };
    await agent.updateStartup({ startup }, { signal });
    await host.take(manifest, signal);
    for (const text of await writeSecretFiles(manifest)) this.#tell({ kind: "warning", text });
    await this.#tellParts(manifest, host, signal);
  }

  /** @throws the signal's reason when it ends first: parts that are closed have no use for a manifest. */
  async #tellParts(manifest: Manifest, { workplace }: Host, signal: AbortSignal): Promise<void> {
    if (workplace === undefined) return;
    for (const part of this.#parts) {
      signal.throwIfAborted();
      await this.#careful(part, () => part.onManifest?.(manifest, workplace));
    }
  }

  /** What is done once in a life, whatever becomes of the connection meanwhile. C4.31. */
  async #begin(): Promise<void> {
    this.#advance("starting");
    const { signal } = this.#inUse;
    const ends = await Promise.all(
      this.#parts.map((part) => this.#careful(part, () => this.#untilStop(part.begin?.(signal)))),
    );
    if (!signal.aborted) this.#advance(startStates[worst(ends)]);
    for (const part of this.#parts) await this.#careful(part, () => this.#untilStop(part.onBegun?.()));
  }

  /** What does not end with the agent is not waited for any longer. */
  #untilStop<T>(work: T | Promise<T>): Promise<T> {
    return withinTime(work, { ms: partCloseMs, what: "ended", after: this.#inUse.signal });
  }

  async #stop(): Promise<void> {
    const isKnown = this.#hasConnected;
    if (isKnown) this.#advance("shutting_down");
    this.#inUse.abort(new Error("the agent stops"));
    await this.#opened.catch(() => {});
    await this.#begun;
    const ends: (StageEnd | undefined)[] = [];
    if (this.#begun !== undefined) {
      for (const part of this.#parts) ends.push(await this.#careful(part, () => part.end?.()));
    }
    if (isKnown) this.#advance(stopStates[worst(ends)]);
    for (const part of this.#parts) {
      await this.#careful(part, () => withinTime(part.close?.(), { ms: partCloseMs, what: "closed" }));
    }
    // a control plane that has never been there is not waited for
    await this.#session?.close({ timeoutMs: isKnown ? lastReportsMs : 0 });
  }

  #advance(state: LifecycleName): void {
    if (this.#lifecycle.advance(state)) this.#tell({ kind: "lifecycle", state });
  }

  /** Runs a step of a part; its failure is told, and costs nothing else. */
  async #careful<T>(part: AgentPart, step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.#tell({ kind: "warning", text: `${part.name}: ${errorText(error)}` });
      return undefined;
    }
  }

  async #tellStates(session: ReconnectingSession): Promise<void> {
    for await (const state of session.states()) {
      if (state.kind === "connected") {
        this.#tell({ kind: "connected", version: formatVersion(state.connection.version) });
      } else if (state.kind === "lost") {
        const { error, retryInMs } = state;
        this.#tell({ kind: "disconnected", reason: errorText(error), retryInMs });
      }
    }
  }

  #tell(event: AgentEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** What a server does not have is left alone; every other failure gives the connection up. C4.6. */
async function whileInUse(part: AgentPart, connection: AgentConnection, signal: AbortSignal): Promise<void> {
  try {
    await part.onConnection?.(connection, signal);
  } catch (error) {
    if (signal.aborted || isUnimplemented(error)) return;
    throw new Error(`${part.name}: ${errorText(error)}`, { cause: error });
  }
}

function worst(ends: readonly (StageEnd | undefined)[]): StageEnd {
  if (ends.includes("timeout")) return "timeout";
  return ends.includes("error") ? "error" : "ok";
}
