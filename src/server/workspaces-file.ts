import { isMap, isSeq, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import type { WorkspaceDefinition } from "../store/index.js";

/** A workspaces file that cannot be used, with the line of each fault. */
export class WorkspacesFileError extends Error {
  constructor(file: string, faults: readonly string[]) {
    super(`${file} is not a workspaces file:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    this.name = "WorkspacesFileError";
  }
}

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "must be a UUID");
const seconds = z.number().int().min(0);
const percent = z.number().int().min(0).max(100);
const agentName = z
  .string()
  .regex(/^[a-z0-9](-?[a-z0-9])*$/i, "must be letters, digits and single hyphens")
  .max(64);

const script = z.strictObject({
  name: z.string().min(1),
  script: z.string(),
  cron: z.string().optional(),
  run_on_start: z.boolean().optional(),
  run_on_stop: z.boolean().optional(),
  start_blocks_login: z.boolean().optional(),
  timeout: seconds.optional(),
  log_path: z.string().optional(),
  icon: z.string().optional(),
});

const app = z.strictObject({
  slug: z.string().regex(/^[a-z0-9](-?[a-z0-9])*$/, "must be lower-case letters, digits and single hyphens"),
  display_name: z.string().optional(),
  url: z.string().optional(),
  command: z.string().optional(),
  icon: z.string().optional(),
  external: z.boolean().optional(),
  subdomain: z.boolean().optional(),
  hidden: z.boolean().optional(),
  open_in: z.enum(["slim_window", "tab"]).optional(),
  group: z.string().optional(),
  order: z.number().int().optional(),
  share: z.enum(["owner", "authenticated", "public", "organization"]).optional(),
  healthcheck: z
    .strictObject({ url: z.string(), interval: seconds, threshold: z.number().int().min(0) })
    .optional(),
});

const agent = z.strictObject({
  name: agentName,
  token: uuid.optional(),
  instance_id: z.string().min(1).optional(),
  connection_timeout: seconds.optional(),
  troubleshooting_url: z.string().optional(),
  directory: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  motd_file: z.string().optional(),
  architecture: z.string().optional(),
  os: z.string().optional(),
  scripts: z.array(script).optional(),
  apps: z.array(app).optional(),
  metadata: z
    .array(
      z.strictObject({
        key: z.string().min(1).max(127),
        display_name: z.string().optional(),
        script: z.string(),
        interval: seconds,
        timeout: seconds.optional(),
        order: z.number().int().optional(),
      }),
    )
    .optional(),
  devcontainers: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        workspace_folder: z.string(),
        config_path: z.string().optional(),
      }),
    )
    .optional(),
  resources_monitoring: z
    .strictObject({
      memory: z.strictObject({ threshold: percent, enabled: z.boolean().optional() }).optional(),
      volumes: z
        .array(z.strictObject({ path: z.string(), threshold: percent, enabled: z.boolean().optional() }))
        .optional(),
    })
    .optional(),
  log_sources: z
    .array(z.strictObject({ name: z.string().max(127), id: uuid.optional(), icon: z.string().optional() }))
    .optional(),
});

const fileSchema = z.strictObject({
  workspaces: z.array(
    z.strictObject({
      owner: z.string().min(1),
      name: z.string().min(1),
      prebuilt: z.boolean().optional(),
      task: z.strictObject({ name: z.string().min(1), agent: z.string(), app: z.string() }).optional(),
      agents: z.array(agent),
    }),
  ),
});

type File = z.infer<typeof fileSchema>;
type Agent = File["workspaces"][number]["agents"][number];

/**
 * Reads a workspaces file.
 * @param name for error texts.
 * @throws WorkspacesFileError when it is not YAML, or has something that is not expected.
 */
export function readWorkspaces(text: string, name: string): WorkspaceDefinition[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0) {
    throw new WorkspacesFileError(
      name,
      document.errors.map(
        (error) => `line ${error.linePos?.[0].line ?? 1}: ${error.message.split("\n", 1)[0]}`,
      ),
    );
  }
  const parsed = fileSchema.safeParse(document.toJS());
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const path = issue.path.map(String);
      return `line ${lineOf(document.contents, path, lines)}: ${path.join(".") || "the file"}: ${issue.message}`;
    });
    throw new WorkspacesFileError(name, faults);
  }
  return parsed.data.workspaces.map((workspace) => ({
    owner: workspace.owner,
    name: workspace.name,
    isPrebuilt: workspace.prebuilt,
    task: workspace.task,
    agents: workspace.agents.map(agentDefinition),
  }));
}

/** The line of a path, or of the nearest thing above it. */
function lineOf(root: unknown, path: readonly string[], lines: LineCounter): number {
  let node = root;
  let offset = rangeStart(node);
  for (const step of path) {
    const child = isMap(node) || isSeq(node) ? node.get(isSeq(node) ? Number(step) : step, true) : undefined;
    if (child === undefined || child === null) break;
    node = child;
    offset = rangeStart(node) ?? offset;
  }
  return lines.linePos(offset ?? 0).line;
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null)?.range?.[0];
}

function agentDefinition(declared: Agent) {
  return {
    name: declared.name,
    token: declared.token?.toLowerCase(),
    instanceId: declared.instance_id,
    connectionTimeoutSeconds: declared.connection_timeout,
    troubleshootingUrl: declared.troubleshooting_url,
    directory: declared.directory,
    environment: declared.env,
    motdFile: declared.motd_file,
    architecture: declared.architecture,
    operatingSystem: declared.os,
    scripts: declared.scripts?.map((entry) => ({
      displayName: entry.name,
      script: entry.script,
      cron: entry.cron,
      runOnStart: entry.run_on_start,
      runOnStop: entry.run_on_stop,
      startBlocksLogin: entry.start_blocks_login,
      timeoutSeconds: entry.timeout,
      logPath: entry.log_path,
      icon: entry.icon,
    })),
    apps: declared.apps?.map((entry) => ({
      slug: entry.slug,
      displayName: entry.display_name,
      url: entry.url,
      command: entry.command,
      icon: entry.icon,
      external: entry.external,
      subdomain: entry.subdomain,
      hidden: entry.hidden,
      openIn: entry.open_in,
      group: entry.group,
      displayOrder: entry.order,
      sharingLevel: entry.share,
      healthcheck: entry.healthcheck && {
        url: entry.healthcheck.url,
        intervalSeconds: entry.healthcheck.interval,
        threshold: entry.healthcheck.threshold,
      },
    })),
    metadata: declared.metadata?.map((entry) => ({
      key: entry.key,
      displayName: entry.display_name,
      script: entry.script,
      intervalSeconds: entry.interval,
      timeoutSeconds: entry.timeout,
      displayOrder: entry.order,
    })),
    devcontainers: declared.devcontainers?.map((entry) => ({
      name: entry.name,
      workspaceFolder: entry.workspace_folder,
      configPath: entry.config_path,
    })),
    resourceMonitoring: declared.resources_monitoring && {
      memory: declared.resources_monitoring.memory && {
        thresholdPercent: declared.resources_monitoring.memory.threshold,
        enabled: declared.resources_monitoring.memory.enabled,
      },
      volumes: declared.resources_monitoring.volumes?.map((volume) => ({
        path: volume.path,
        thresholdPercent: volume.threshold,
        enabled: volume.enabled,
      })),
    },
    logSources: declared.log_sources?.map((entry) => ({
      displayName: entry.name,
      id: entry.id?.toLowerCase(),
      icon: entry.icon,
    })),
  };
}
