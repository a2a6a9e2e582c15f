import type { AgentRecord } from "./records.js";

const defaultDisplayApps = ["vscode", "web_terminal", "ssh_helper", "port_forwarding_helper"];

/** An agent that has never connected. */
export function blankAgent(): AgentRecord {
  return {
    id: crypto.randomUUID(),
    workspaceId: "",
    parentId: undefined,
    name: "",
    authToken: crypto.randomUUID(),
    architecture: "",
    operatingSystem: "",
    directory: "",
    environment: {},
    motdFile: "",
    displayApps: defaultDisplayApps,
    createdAtUs: Date.now() * 1000,
    version: "",
    apiVersion: "",
    expandedDirectory: "",
    subsystems: [],
    lifecycleState: "created",
    startedAtUs: undefined,
    readyAtUs: undefined,
    connection: { firstConnectedAtUs: undefined, lastConnectedAtUs: undefined, disconnectedAtUs: undefined },
    logsLength: 0,
    logsOverflowed: false,
  };
}
