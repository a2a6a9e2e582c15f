import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AgentConnection,
  type CreateSubAgentRequestSchema,
  DisplayApp,
  type Manifest,
} from "../../client/index-node.js";
import { formatUuid, nilUuid, parseUuid } from "../../codec/index.js";
import { errorText } from "../../rpc/error-text.js";
import { goArchitecture, goOperatingSystem } from "./platform.js";
import { automaticNames } from "./sub-agent-names.js";

type Calls = Pick<AgentConnection["agent"], "createSubAgent" | "deleteSubAgent" | "listSubAgents">;

/** A sub-agent to create. */
export interface SubAgentDefinition {
  directory: string;
  /** At most 64 characters; one that fits the directory by default, longer when a shorter one is taken. */
  name?: string;
  /** A UUID: the sub-agent that a template has made for a devcontainer, which is updated then. C4.81. */
  id?: string;
  /** As Go calls it, such as `amd64`; this machine's by default. */
  architecture?: string;
  /** As Go calls it, such as `linux`; this machine's by default. */
  operatingSystem?: string;
  apps?: NonNullable<MessageInitShape<typeof CreateSubAgentRequestSchema>["apps"]>;
  /** VS Code desktop, terminal, SSH and port forwarding by default. C4.78. */
  displayApps?: readonly DisplayApp[];
}

/** A sub-agent that exists. Its token is a secret. */
export interface SubAgent {
  id: string;
  name: string;
  token: string;
}

/** An app that the server did not create; the sub-agent exists nevertheless. C4.79. */
export interface SubAgentAppError {
  slug: string;
  /** Which field was wrong, where it was one. */
  field: string | undefined;
  error: string;
}

const callTimeoutMs = 15_000;

const defaultDisplayApps = [
  DisplayApp.VSCODE,
  DisplayApp.WEB_TERMINAL,
  DisplayApp.SSH_HELPER,
  DisplayApp.PORT_FORWARDING_HELPER,
];

/**
 * The sub-agents of an agent: those that it has created end with it, and those of an earlier life are removed when it
 * begins. C4.77–C4.82.
 */
export class SubAgents {
  readonly #created = new Map<string, SubAgent>();
  /** Calls that create one, and are not answered yet. */
  readonly #creating = new Set<Promise<unknown>>();
  #agent: Calls | undefined;

  /** Those that this agent has created, and not deleted. */
  get created(): readonly SubAgent[] {
    return [...this.#created.values()];
  }

  /** Uses the calls of a connection from now on. */
  use(agent: Calls | undefined): void {
    this.#agent = agent;
  }

  /**
   * Creates one, or updates the one with the given id.
   * @throws RpcError with the server's reason; UnsupportedByServerError where there are no sub-agents; Error when
   * there is no connection, or the answer makes no sense.
   */
  async create(
    definition: SubAgentDefinition,
    signal?: AbortSignal,
  ): Promise<{ agent: SubAgent; appErrors: SubAgentAppError[] }> {
    const names = definition.name === undefined ? automaticNames(definition.directory) : [definition.name];
    for (const [attempt, name] of names.entries()) {
      try {
        return await this.#counted(this.#create({ ...definition, name }, signal));
      } catch (error) {
        const isLast = attempt === names.length - 1;
        // the only clash that another name mends. C4.80
        if (isLast || !(error instanceof Error) || !error.message.includes("workspace agent name"))
          throw error;
      }
    }
    throw new Error("there is no name to try");
  }

  /** @throws RpcError with the server's reason. */
  async delete(id: string, signal?: AbortSignal): Promise<void> {
    const bytes = parseUuid(id);
    if (bytes === undefined) throw new TypeError(`a sub-agent's id is a UUID, and not "${id}"`);
    await this.#calls().deleteSubAgent({ id: bytes }, limits(signal));
    this.#created.delete(id);
  }

  /** All that the server knows. @throws RpcError with the server's reason. */
  async list(signal?: AbortSignal): Promise<SubAgent[]> {
    const { agents } = await this.#calls().listSubAgents({}, limits(signal));
    return agents.map(subAgentOf);
  }

  /**
   * Deletes those that neither this agent has created nor the template has made. C4.77.
   * @returns what went wrong with single ones.
   */
  async deleteStrangers(manifest: Manifest | undefined, signal: AbortSignal): Promise<string[]> {
    const templates = (manifest?.devcontainers ?? []).map(({ subagentId }) =>
      subagentId === undefined ? undefined : formatUuid(subagentId),
    );
    const all = await this.list(signal);
    // one that is being created may be there already, and is no stranger
    await Promise.allSettled(this.#creating);
    const strangers = all.filter(({ id }) => !this.#created.has(id) && !templates.includes(id));
    return this.#deleteAll(strangers, signal);
  }

  /** Deletes all that this agent has created, and forgets them. C4.81. @returns what went wrong with single ones. */
  async deleteCreated(): Promise<string[]> {
    await Promise.allSettled(this.#creating);
    const faults = await this.#deleteAll(this.created);
    // what could not be deleted is a stranger to the next life, which tries again
    this.#created.clear();
    return faults;
  }

  async #counted<T>(call: Promise<T>): Promise<T> {
    this.#creating.add(call);
    try {
      return await call;
    } finally {
      this.#creating.delete(call);
    }
  }

  async #create(
    definition: SubAgentDefinition & { name: string },
    signal: AbortSignal | undefined,
  ): Promise<{ agent: SubAgent; appErrors: SubAgentAppError[] }> {
    const { id, apps = [], displayApps = defaultDisplayApps } = definition;
    const idBytes = id === undefined ? undefined : parseUuid(id);
    if (id !== undefined && idBytes === undefined) {
      throw new TypeError(`a sub-agent's id is a UUID, and not "${id}"`);
    }
    const answer = await this.#calls().createSubAgent(
      {
        name: definition.name,
        directory: definition.directory,
        architecture: definition.architecture ?? goArchitecture(),
        operatingSystem: definition.operatingSystem ?? goOperatingSystem(),
        apps: [...apps],
        displayApps: [...displayApps],
        ...(idBytes === undefined ? {} : { id: idBytes }),
      },
      limits(signal),
    );
    if (answer.agent === undefined) throw new Error("CreateSubAgent: the answer has no agent");
    const agent = subAgentOf(answer.agent);
    this.#created.set(agent.id, agent);
    const appErrors = answer.appCreationErrors.map(({ index, field, error }) => ({
      slug: apps[index]?.slug ?? "",
      field,
      error,
    }));
    return { agent, appErrors };
  }

  async #deleteAll(agents: readonly SubAgent[], signal?: AbortSignal): Promise<string[]> {
    const ends = await Promise.allSettled(agents.map(({ id }) => this.delete(id, signal)));
    return ends.flatMap((end, i) =>
      end.status === "rejected" ? [`sub-agent ${agents[i]?.name}: ${errorText(end.reason)}`] : [],
    );
  }

  #calls(): Calls {
    if (this.#agent === undefined) throw new Error("sub-agents: the agent is not connected");
    return this.#agent;
  }
}

function limits(signal: AbortSignal | undefined) {
  return { timeoutMs: callTimeoutMs, ...(signal === undefined ? {} : { signal }) };
}

/** C4.79. */
function subAgentOf({
  id,
  name,
  authToken,
}: {
  id: Uint8Array;
  name: string;
  authToken: Uint8Array;
}): SubAgent {
  const idText = formatUuid(id);
  const token = formatUuid(authToken);
  if (idText === undefined || token === undefined || idText === nilUuid) {
    throw new Error(`sub-agent "${name}": the server's id or token is no UUID`);
  }
  return { id: idText, name, token };
}
