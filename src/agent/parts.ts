import { createWorkspaceContext, type WorkspaceContext } from "../local/index.js";
import { type BoundaryOptions, boundaryPart } from "./beside/boundary-part.js";
import { contextPart } from "./beside/context-part.js";
import { type SocketOptions, socketPart } from "./beside/socket-part.js";
import type { AgentHost, AgentPart, MakePart } from "./part.js";
import { type ScriptsOptions, scriptsPart } from "./scripts/scripts-part.js";
import type { SubAgents } from "./sub-agents/sub-agents.js";
import { subAgentsPart } from "./sub-agents/sub-agents-part.js";
import { type ResourcesOptions, resourcesPart } from "./usage/resources-part.js";
import { type StatsOptions, statsPart } from "./usage/stats-part.js";
import { appHealthPart } from "./workspace/app-health-part.js";
import { type BannerOptions, bannersPart } from "./workspace/banners.js";
import { type MetadataOptions, metadataPart } from "./workspace/metadata-part.js";

/**
 * What an agent does, by name. Each is there by default; `false` leaves it out, options change it, and a function
 * makes a part of your own in its place.
 */
export interface AgentParts {
  /** Start, stop and scheduled scripts, their logs, files and timings. */
  scripts?: false | ScriptsOptions | MakePart;
  /** Commands whose output is metadata. */
  metadata?: false | MetadataOptions | MakePart;
  /** HTTP checks of apps. */
  appHealth?: false | MakePart;
  /** Counters of connections, and metrics. */
  stats?: false | StatsOptions | MakePart;
  /** Memory and volumes. */
  resources?: false | ResourcesOptions | MakePart;
  /** Banners of the deployment. */
  banners?: false | BannerOptions | MakePart;
  /** The agent socket, for programs on this machine. */
  socket?: false | SocketOptions | MakePart;
  /** Logs of programs that confine others. */
  boundaryLogs?: false | BoundaryOptions | MakePart;
  /** Instruction files, skills and MCP configurations. */
  context?: false | MakePart;
  /** What `agent.subAgents` creates. */
  subAgents?: false | MakePart;
}

/** The parts of one life of an agent, in the order in which they are opened and closed. */
export function partsOf(
  chosen: AgentParts,
  more: readonly MakePart[],
  host: AgentHost,
  subAgents: SubAgents,
): AgentPart[] {
  const context = contextFor(chosen);
  const make = <O extends object>(
    choice: false | O | MakePart | undefined,
    part: (options: O | undefined) => AgentPart | undefined,
  ): AgentPart[] => {
    if (choice === false) return [];
    if (typeof choice === "function") return [choice(host)];
    const made = part(choice);
    return made === undefined ? [] : [made];
  };
  return [
    ...make(chosen.scripts, (options) => scriptsPart(host, options)),
    ...make(chosen.socket, (options) => socketPart(host, context, options)),
    ...make(chosen.subAgents, () => subAgentsPart(host, subAgents)),
    ...make(chosen.metadata, (options) => metadataPart(host, options)),
    ...make(chosen.appHealth, () => appHealthPart(host)),
    ...make(chosen.stats, (options) => statsPart(host, options)),
    ...make(chosen.resources, (options) => resourcesPart(host, options)),
    ...make(chosen.banners, (options) => bannersPart(host, options)),
    ...make(chosen.context, () => (context === undefined ? undefined : contextPart(context))),
    ...make(chosen.boundaryLogs, (options) => boundaryPart(host, options)),
    ...more.map((part) => part(host)),
  ];
}

/** The context is one thing, which the socket shows and a part pushes. */
function contextFor({ context }: AgentParts): WorkspaceContext | undefined {
  return context === undefined ? createWorkspaceContext() : undefined;
}
