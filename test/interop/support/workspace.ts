import { onTestFinished } from "vitest";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../../../src/server/index.js";
import type { WorkspaceDefinition } from "../../../src/store/index.js";
import { token } from "../../support/control-plane.js";
import { type Facts, GoPeer } from "../../support/go-peer.js";
import { storedReports } from "../../support/reports.js";
import { agentRpc, expectQuietAtEnd, goCall, goDial, goRefusal } from "./go-client.js";

/** Workspaces with something of everything. */
const workspaces: WorkspaceDefinition[] = [
  {
    owner: "ada",
    name: "dev",
    agents: [
      {
        name: "main",
        token,
        directory: "/projects",
        environment: { EDITOR: "vi", LANG: "de_DE.UTF-8" },
        motdFile: "/etc/motd",
        architecture: "arm64",
        operatingSystem: "linux",
        apps: [
          {
            slug: "web",
            displayName: "Web",
            url: "http://localhost:8080",
            icon: "/icon/web.svg",
            sharingLevel: "organization",
            healthcheck: { url: "http://localhost:8080/healthz", intervalSeconds: 5, threshold: 6 },
          },
          { slug: "plain", command: "htop", hidden: true, external: true },
        ],
        scripts: [
          {
            displayName: "Start",
            script: "echo hello",
            cron: "0 0 * * *",
            runOnStart: true,
            startBlocksLogin: true,
            timeoutSeconds: 30,
            logPath: "~/start.log",
          },
        ],
        metadata: [{ key: "cpu", displayName: "CPU", script: "top", intervalSeconds: 10, timeoutSeconds: 3 }],
        devcontainers: [
          { name: "box", workspaceFolder: "/projects/box", configPath: "/projects/box/dc.json" },
        ],
        resourceMonitoring: {
          memory: { thresholdPercent: 80 },
          volumes: [
            { path: "/", thresholdPercent: 90 },
            { path: "/home", thresholdPercent: 90, enabled: false },
          ],
        },
      },
      { name: "second" },
    ],
  },
];

/** A Go client's session with a control plane of ours. */
export class Workspace {
  readonly peer: GoPeer;
  readonly plane: ControlPlane;
  readonly handle: number;
  /** The agent whose session it is. */
  readonly agentId: string;

  private constructor(peer: GoPeer, plane: ControlPlane, handle: number) {
    this.peer = peer;
    this.plane = plane;
    this.handle = handle;
    this.agentId = plane.agents[0]?.id ?? "";
  }

  /** Starts both; they end with the test, and must have nothing left to do then. */
  static async start(options: ControlPlaneOptions = {}, dial: Facts = {}): Promise<Workspace> {
    const peer = GoPeer.start();
    const plane = await startControlPlane({ workspaces, ...options });
    onTestFinished(() => plane.close());
    const workspace = new Workspace(peer, plane, await goDial(peer, plane, dial));
    expectQuietAtEnd(peer, workspace.handle);
    return workspace;
  }

  /** A call of the agent service; its answer as protobuf JSON. */
  call(method: string, json: unknown = {}): Promise<Facts> {
    return goCall(this.peer, this.handle, agentRpc(method), json);
  }

  /** A call of the agent service that is refused. */
  refusal(method: string, json: unknown = {}): Promise<{ text: unknown; code: unknown }> {
    return goRefusal(this.call(method, json));
  }

  agent() {
    return this.plane.store.agent(this.agentId);
  }

  reports() {
    return storedReports(this.plane, this.agentId);
  }

  /** The id of an app of the agent. */
  async appId(slug: string): Promise<string> {
    const app = (await this.plane.store.apps(this.agentId)).find((candidate) => candidate.slug === slug);
    return app?.id ?? "";
  }
}

/** A UUID as protobuf JSON has it: 16 bytes in base64. */
export function uuidB64(text: string): string {
  return Buffer.from(text.replaceAll("-", ""), "hex").toString("base64");
}

/** The same the other way. */
export function uuidOf(base64: unknown): string {
  const hex = Buffer.from(String(base64), "base64").toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
