import type { LogSender, Manifest } from "../client/index-node.js";
import { knownToken } from "../client/tokens/token-source.js";
import type { AgentOptions } from "./agent-options.js";
import type { AgentEvent } from "./events.js";
import type { AgentHost, AgentMetric, AgentPart } from "./part.js";
import type { ScriptFolder } from "./scripts/script-folder.js";
import { type Workplace, workplaceOf } from "./workspace/workplace.js";

/** What an agent gives its parts. */
export class Host implements AgentHost {
  readonly url: string;
  readonly logs: LogSender;
  readonly scriptFolder: ScriptFolder;
  readonly inUse: AbortSignal;
  /** Those that are open. */
  parts: readonly AgentPart[] = [];
  readonly #options: AgentOptions;
  readonly #environment: Record<string, string> = {};
  #manifest: Manifest | undefined;
  #workplace: Workplace | undefined;

  constructor(options: AgentOptions, scriptFolder: ScriptFolder, logs: LogSender, inUse: AbortSignal) {
    this.#options = options;
    this.url = String(options.dial.url);
    this.logs = logs;
    this.scriptFolder = scriptFolder;
    this.inUse = inUse;
  }

  get manifest(): Manifest | undefined {
    return this.#manifest;
  }

  get workplace(): Workplace | undefined {
    return this.#workplace;
  }

  token(signal: AbortSignal): Promise<string> {
    return knownToken(this.#options.dial.token, signal);
  }

  setEnvironment(name: string, value: string): void {
    this.#environment[name] = value;
  }

  metrics(): AgentMetric[] {
    return this.parts.flatMap((part) => part.metrics?.() ?? []);
  }

  tell(event: AgentEvent): void {
    this.#options.onEvent?.(event);
  }

  /** Replaces the manifest, whole. C4.29. */
  async take(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { binDirectory, dataDirectory } = this.scriptFolder;
    this.#workplace = await workplaceOf(manifest, {
      url: this.url,
      token: await this.token(signal),
      binDirectory,
      dataDirectory,
      environment: this.#environment,
      onWarning: (text) => this.tell({ kind: "warning", text }),
    });
    this.#manifest = manifest;
  }
}
