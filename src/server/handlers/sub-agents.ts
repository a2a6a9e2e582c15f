import { createHash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { formatUuid } from "../../codec/index.js";
import {
  type CreateSubAgentRequest_App as App,
  type CreateSubAgentRequest,
  CreateSubAgentRequest_DisplayApp as DisplayApp,
  CreateSubAgentRequest_App_OpenIn as OpenIn,
  CreateSubAgentRequest_App_SharingLevel as Share,
} from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { goQuote } from "../../rpc/index.js";
import { type AgentRecord, type AppRecord, blankAgent, type SharingLevel } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import { type AgentHandlers, freshAgent, type HandlerDeps } from "./deps.js";
import { HandlerFailure, invalidUuid, uuidIn } from "./failure.js";
import { bytesOf } from "./manifest.js";

const displayApps: Readonly<Partial<Record<DisplayApp, string>>> = {
  [DisplayApp.VSCODE]: "vscode",
  [DisplayApp.VSCODE_INSIDERS]: "vscode_insiders",
  [DisplayApp.WEB_TERMINAL]: "web_terminal",
  [DisplayApp.SSH_HELPER]: "ssh_helper",
  [DisplayApp.PORT_FORWARDING_HELPER]: "port_forwarding_helper",
};

/** These numbers are not those of a manifest's sharing levels. */
const shares: Readonly<Partial<Record<Share, SharingLevel>>> = {
  [Share.OWNER]: "owner",
  [Share.AUTHENTICATED]: "authenticated",
  [Share.PUBLIC]: "public",
  [Share.ORGANIZATION]: "organization",
};

const places: Readonly<Partial<Record<OpenIn, AppRecord["openIn"]>>> = {
  [OpenIn.SLIM_WINDOW]: "slim_window",
  [OpenIn.TAB]: "tab",
};

const namePattern = /^[a-z0-9](-?[a-z0-9])*$/i;
const slugPattern = /^[a-z0-9](-?[a-z0-9])*$/;

/** CreateSubAgent, DeleteSubAgent and ListSubAgents. S3.91–S3.102. */
export function subAgentHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async createSubAgent(request, context) {
      const { agentId } = sessionOf(context);
      const shown = request.displayApps.map((app, i) => {
        const name = displayApps[app];
        if (name !== undefined) return name;
        throw new HandlerFailure(`field: display_apps[${i}] detail: "${app}" is not a valid display app`);
      });
      const parent = await freshAgent(deps, agentId, "get parent agent: ");
      if (request.id !== undefined) return updateExisting(deps, parent, request, request.id, shown);
      const agent = await insertNew(deps, parent, request, shown);
      return { agent: subAgentOf(agent), appCreationErrors: await insertApps(deps, agent, request.apps) };
    },

    async deleteSubAgent({ id }, context) {
      const childId = uuidIn(id, "");
      const child = await deps.store.agent(childId);
      if (child === undefined) throw new HandlerFailure("sql: no rows in result set", Code.NotFound);
      // stricter than upstream, which lets an agent delete those of its siblings
      if (child.parentId !== sessionOf(context).agentId) {
        throw new HandlerFailure("unauthorized: rbac: forbidden", Code.PermissionDenied);
      }
      await deps.store.deleteAgent(childId);
      return {};
    },

    async listSubAgents(_request, context) {
      const parent = await freshAgent(deps, sessionOf(context).agentId, "get parent agent: ");
      return { agents: (await deps.store.subAgents(parent.id)).map(subAgentOf) };
    },
  };
}

function subAgentOf(agent: AgentRecord) {
  return { name: agent.name, id: bytesOf(agent.id), authToken: bytesOf(agent.authToken) };
}

async function updateExisting(
  deps: HandlerDeps,
  parent: AgentRecord,
  request: CreateSubAgentRequest,
  id: Uint8Array,
  shown: string[],
) {
  const childId = formatUuid(id);
  if (childId === undefined) throw new HandlerFailure(`parse agent id: ${invalidUuid(id)}`);
  const child = await deps.store.agent(childId);
  if (child === undefined)
    throw new HandlerFailure("get workspace agent by id: sql: no rows in result set", Code.NotFound);
  if (child.parentId !== parent.id) {
    throw new HandlerFailure("subagent does not belong to this parent agent", Code.PermissionDenied);
  }
  const directory = request.directory === "" ? undefined : request.directory;
  await deps.store.updateSubAgent(childId, { displayApps: shown, directory });
  return { agent: subAgentOf(child) };
}

async function insertNew(
  deps: HandlerDeps,
  parent: AgentRecord,
  request: CreateSubAgentRequest,
  shown: string[],
): Promise<AgentRecord> {
  const { name, directory, architecture, operatingSystem } = request;
  if (name === "") throw new HandlerFailure("field: name detail: agent name cannot be empty");
  if (!namePattern.test(name)) {
    const regex = goQuote("(?i)^[a-z0-9](-?[a-z0-9])*$");
    throw new HandlerFailure(`field: name detail: agent name ${goQuote(name)} does not match regex ${regex}`);
  }
  if (name.length > 64)
    throw new HandlerFailure("insert sub agent: pq: value too long for type character varying(64)");
  const agent: AgentRecord = {
    ...blankAgent(),
    workspaceId: parent.workspaceId,
    buildId: parent.buildId,
    connectionTimeoutSeconds: parent.connectionTimeoutSeconds,
    troubleshootingUrl: parent.troubleshootingUrl,
    keyScope: parent.keyScope,
    parentId: parent.id,
    name,
    directory,
    architecture,
    operatingSystem,
    displayApps: shown,
    createdAtUs: deps.nowUs(),
  };
  try {
    await deps.store.insertSubAgent(agent);
  } catch (error) {
    throw new HandlerFailure(`insert sub agent: pq: ${errorText(error)}`, Code.AlreadyExists, error);
  }
  return agent;
}

/** What is wrong with an app: the part of it, where one is to blame, and why. */
class AppFault extends Error {
  readonly field: string | undefined;

  constructor(field: string | undefined, reason: string) {
    super(reason);
    this.field = field;
  }
}

/** Each app by itself: one that fails is told, the others are made. S3.96. */
async function insertApps(deps: HandlerDeps, agent: AgentRecord, apps: readonly App[]) {
  const faults: { index: number; field?: string; error: string }[] = [];
  const used = new Set<string>();
  for (const [index, app] of apps.entries()) {
    try {
      await insertApp(deps, agent, app, used);
    } catch (error) {
      const field = error instanceof AppFault ? error.field : undefined;
      faults.push({ index, error: errorText(error), ...(field === undefined ? {} : { field }) });
    }
  }
  return faults;
}

async function insertApp(deps: HandlerDeps, agent: AgentRecord, app: App, used: Set<string>): Promise<void> {
  const { slug } = app;
  if (slug === "") throw new AppFault("slug", "must not be empty");
  if (!slugPattern.test(slug)) {
    throw new AppFault("slug", `${goQuote(slug)} does not match regex ${goQuote(slugPattern.source)}`);
  }
  if (used.has(slug)) throw new AppFault("slug", `${goQuote(slug)} is already in use`);
  used.add(slug);
  const sharingLevel = shares[app.share ?? Share.OWNER];
  if (sharingLevel === undefined)
    throw new AppFault("share", `"${app.share}" is not a valid app sharing level`);
  const openIn = places[app.openIn ?? OpenIn.SLIM_WINDOW];
  if (openIn === undefined) throw new AppFault("open_in", `"${app.openIn}" is not an open in setting`);
  const { healthcheck } = app;
  const isChecked = healthcheck !== undefined && healthcheck.url !== "";
  try {
    await deps.store.insertApp({
      id: crypto.randomUUID(),
      agentId: agent.id,
      slug: storedSlug(agent.name, slug),
      displayName: app.displayName ?? "",
      url: app.url ?? "",
      command: app.command ?? "",
      icon: app.icon ?? "",
      external: app.external ?? false,
      subdomain: app.subdomain ?? false,
      hidden: app.hidden ?? false,
      sharingLevel,
      openIn,
      group: app.group ?? "",
      displayOrder: app.order ?? 0,
      tooltip: "",
      health: isChecked ? "initializing" : "disabled",
      healthcheck: isChecked
        ? { url: healthcheck.url, intervalSeconds: healthcheck.interval, threshold: healthcheck.threshold }
        : undefined,
    });
  } catch (error) {
    throw new AppFault(undefined, `insert workspace app: ${errorText(error)}`);
  }
}

const base32Hex = "0123456789abcdefghijklmnopqrstuv";

/** Slugs of different agents must differ: a hash of agent and slug goes before. S3.97. */
function storedSlug(agentName: string, slug: string): string {
  const digest = createHash("sha256").update(`${agentName}/${slug}`).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 5)) bits = (bits << 8n) | BigInt(byte);
  let prefix = "";
  for (let shift = 35n; shift >= 0n; shift -= 5n) prefix += base32Hex[Number((bits >> shift) & 31n)];
  return `${prefix}-${slug}`;
}
