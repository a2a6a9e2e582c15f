import { nilUuid } from "../codec/index.js";
import type { AgentRecord } from "./records.js";

const defaultDisplayApps = ["vscode", "web_terminal", "ssh_helper", "port_forwarding_helper"];

/** An agent that has never connected. */
export function blankAgent(): AgentRecord {
  return {
    id: crypto.randomUUID(),
    workspaceId: nilUuid,
    buildId: nilUuid,
    parentId: undefined,
    name: "",
    authToken: crypto.randomUUID(),
    instanceId: undefined,
    architecture: "",
    operatingSystem: "",
    directory: "",
    environment: {},
    motdFile: "",
    displayApps: defaultDisplayApps,
    connectionTimeoutSeconds: 0,
    troubleshootingUrl: "",
    keyScope: "all",
    createdAtUs: Date.now() * 1000,
    version: "",
    apiVersion: "",
    expandedDirectory: "",
    subsystems: [],
    lifecycleState: "created",
    startedAtUs: undefined,
    readyAtUs: undefined,
    connection: {
      firstConnectedAtUs: undefined,
      lastConnectedAtUs: undefined,
      disconnectedAtUs: undefined,
      lastReplicaId: undefined,
    },
    logsLength: 0,
    logsOverflowed: false,
  };
}
