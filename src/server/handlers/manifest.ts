import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { parseUuid } from "../../codec/index.js";
import {
  type ManifestSchema,
  WorkspaceApp_Health,
  WorkspaceApp_SharingLevel,
} from "../../gen/coder/agent/v2/agent_pb.js";
import type {
  AppHealth,
  AppRecord,
  DevcontainerRecord,
  MetadataRecord,
  ScriptRecord,
  SecretRecord,
  SharingLevel,
  WorkspaceRecord,
} from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import { derpMapFor } from "../tailnet/derp/derp-map-for.js";
import { type AgentHandlers, freshAgent, type HandlerDeps, type ManifestSettings } from "./deps.js";
import { doing, HandlerFailure } from "./failure.js";
import { secondsAsNanoseconds, secondsDuration } from "./time.js";

const sharingLevels: Readonly<Record<SharingLevel, WorkspaceApp_SharingLevel>> = {
  owner: WorkspaceApp_SharingLevel.OWNER,
  authenticated: WorkspaceApp_SharingLevel.AUTHENTICATED,
  public: WorkspaceApp_SharingLevel.PUBLIC,
  organization: WorkspaceApp_SharingLevel.ORGANIZATION,
};

const healths: Readonly<Record<AppHealth, WorkspaceApp_Health>> = {
  disabled: WorkspaceApp_Health.DISABLED,
  initializing: WorkspaceApp_Health.INITIALIZING,
  healthy: WorkspaceApp_Health.HEALTHY,
  unhealthy: WorkspaceApp_Health.UNHEALTHY,
};

/** GetManifest. S3.12–S3.23. */
export function manifestHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async getManifest(_request, context) {
      const { agentId, workspaceId, reachedAt } = sessionOf(context);
      const agent = await freshAgent(deps, agentId, "getting workspace agent: ");
      const [workspace, records] = await doing("fetching workspace agent data", () =>
        Promise.all([deps.store.workspace(workspaceId), deps.store.manifestRecords(agentId)]),
      );
      if (workspace === undefined) {
        const text = "fetching workspace agent data: getting workspace by id: sql: no rows in result set";
        throw new HandlerFailure(text, Code.NotFound);
      }
      const secrets = await doing("getting user secrets", () => deps.store.secrets(workspace.ownerId));
      const settings = deps.manifest;
      const manifest: MessageInitShape<typeof ManifestSchema> = {
        agentId: bytesOf(agent.id),
        agentName: agent.name,
        ownerUsername: workspace.ownerUsername,
        workspaceId: bytesOf(workspace.id),
        workspaceName: workspace.name,
        environmentVariables: { ...agent.environment },
        directory: agent.directory,
        motdPath: agent.motdFile,
        derpMap: derpMapFor(deps.derpMap.current, reachedAt),
        scripts: records.scripts.map(scriptOf),
        apps: records.apps.map((app) => appOf(app, agent.name, workspace, settings)),
        metadata: records.metadata.map(metadataOf),
        devcontainers: records.devcontainers.map(devcontainerOf),
        // one that names neither a variable nor a file has no place to go
        secrets: secrets.filter(({ envName, filePath }) => envName !== "" || filePath !== "").map(secretOf),
        gitAuthConfigs: settings.gitAuthConfigs ?? 0,
        vsCodePortProxyUri: portProxyUri(settings, agent.name, workspace),
        disableDirectConnections: settings.disableDirectConnections ?? false,
        derpForceWebsockets: settings.derpForceWebsockets ?? false,
        ...(agent.parentId === undefined ? {} : { parentId: bytesOf(agent.parentId) }),
      };
      return manifest;
    },
  };
}

/** The bytes of an id of the store. */
export function bytesOf(id: string): Uint8Array {
  return parseUuid(id) ?? new Uint8Array(0);
}

function scriptOf(script: ScriptRecord) {
  return {
    id: bytesOf(script.id),
    logSourceId: bytesOf(script.logSourceId),
    logPath: script.logPath,
    script: script.script,
    cron: script.cron,
    runOnStart: script.runOnStart,
    runOnStop: script.runOnStop,
    startBlocksLogin: script.startBlocksLogin,
    timeout: secondsDuration(script.timeoutSeconds),
    displayName: script.displayName,
  };
}

function appOf(app: AppRecord, agentName: string, workspace: WorkspaceRecord, settings: ManifestSettings) {
  const { url = "", intervalSeconds = 0, threshold = 0 } = app.healthcheck ?? {};
  return {
    id: bytesOf(app.id),
    url: app.url,
    external: app.external,
    slug: app.slug,
    displayName: app.displayName,
    command: app.command,
    icon: app.icon,
    subdomain: app.subdomain,
    // without a host name for apps there is none to be a part of
    subdomainName: settings.appHostname ? subdomainName(app, agentName, workspace) : "",
    sharingLevel: sharingLevels[app.sharingLevel],
    // always there, also where nothing is checked
    healthcheck: { url, interval: secondsDuration(intervalSeconds), threshold },
    health: healths[app.health],
    hidden: app.hidden,
  };
}

function metadataOf(metadata: MetadataRecord) {
  return {
    displayName: metadata.displayName,
    key: metadata.key,
    script: metadata.script,
    interval: secondsAsNanoseconds(metadata.intervalSeconds),
    timeout: secondsAsNanoseconds(metadata.timeoutSeconds),
  };
}

/** The leftmost part of an app's own host name; a slug that looks like a port has the agent's name beside it. S3.17. */
export function subdomainName(
  { slug, subdomain }: Pick<AppRecord, "slug" | "subdomain">,
  agentName: string,
  { name, ownerUsername }: Pick<WorkspaceRecord, "name" | "ownerUsername">,
): string {
  if (!subdomain) return "";
  const isPort = /^\d{4,5}s?$/.test(slug);
  return isPort ? `${slug}--${agentName}--${name}--${ownerUsername}` : `${slug}--${name}--${ownerUsername}`;
}

/** How ports of the workspace are reached; `{{port}}` is for the agent to fill in. S3.15. */
function portProxyUri(
  { appHostname = "", accessUrl = "" }: ManifestSettings,
  agentName: string,
  { name, ownerUsername }: Pick<WorkspaceRecord, "name" | "ownerUsername">,
): string {
  if (appHostname === "" || !URL.canParse(accessUrl)) return "";
  const { protocol, port } = new URL(accessUrl);
  const host = appHostname.replace("*", `{{port}}--${agentName}--${name}--${ownerUsername}`);
  const hasPort = /:\d+$/.test(appHostname);
  return `${protocol}//${host}${hasPort || port === "" ? "" : `:${port}`}`;
}

function secretOf({ envName, filePath, value }: SecretRecord) {
  return { envName, filePath, value };
}

function devcontainerOf(devcontainer: DevcontainerRecord) {
  return {
    id: bytesOf(devcontainer.id),
    workspaceFolder: devcontainer.workspaceFolder,
    configPath: devcontainer.configPath,
    name: devcontainer.name,
    ...(devcontainer.subagentId === undefined ? {} : { subagentId: bytesOf(devcontainer.subagentId) }),
  };
}
