import { Lifecycle_State, Startup_Subsystem } from "../../gen/coder/agent/v2/agent_pb.js";
import { goQuote } from "../../rpc/index.js";
import type { LifecycleState } from "../../store/index.js";
import { parseVersion, VersionError } from "../../version/index.js";
import { type AgentSession, sessionOf } from "../agent-session.js";
import { measureBuild } from "../build-duration.js";
import { type AgentHandlers, freshAgent, type HandlerDeps } from "./deps.js";
import { doing, HandlerFailure } from "./failure.js";
import { timestampUs, usTimestamp, yearOneSeconds } from "./time.js";

const states: Readonly<Partial<Record<Lifecycle_State, LifecycleState>>> = {
  [Lifecycle_State.CREATED]: "created",
  [Lifecycle_State.STARTING]: "starting",
  [Lifecycle_State.START_TIMEOUT]: "start_timeout",
  [Lifecycle_State.START_ERROR]: "start_error",
  [Lifecycle_State.READY]: "ready",
  [Lifecycle_State.SHUTTING_DOWN]: "shutting_down",
  [Lifecycle_State.SHUTDOWN_TIMEOUT]: "shutdown_timeout",
  [Lifecycle_State.SHUTDOWN_ERROR]: "shutdown_error",
  [Lifecycle_State.OFF]: "off",
};

const subsystems: Readonly<Partial<Record<Startup_Subsystem, string>>> = {
  [Startup_Subsystem.ENVBOX]: "envbox",
  [Startup_Subsystem.ENVBUILDER]: "envbuilder",
  [Startup_Subsystem.EXECTRACE]: "exectrace",
};

/** Semantic versions as Go has them: with a leading v, minor and patch may be missing. S3.40. */
const goSemver =
  /^v(0|[1-9]\d*)(\.(0|[1-9]\d*)(\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)?)?$/;

/** UpdateLifecycle and UpdateStartup. S3.35–S3.41. */
export function lifecycleHandlers(deps: HandlerDeps): AgentHandlers {
  const measured = new WeakSet<AgentSession>();
  return {
    async updateLifecycle({ lifecycle }, context) {
      if (lifecycle === undefined) throw new HandlerFailure("lifecycle is required");
      const who = sessionOf(context);
      const { agentId, ownerId, workspaceId } = who;
      const agent = await freshAgent(deps, agentId);
      const state = states[lifecycle.state];
      if (state === undefined) {
        throw new HandlerFailure(
          `unknown lifecycle state ${goQuote(enumText(Lifecycle_State, lifecycle.state))}`,
        );
      }
      // the instant that Go calls zero means "now"; an omitted one is 1970: S3.36
      const isZero = lifecycle.changedAt?.seconds === yearOneSeconds && lifecycle.changedAt.nanos === 0;
      const atUs = isZero ? deps.nowUs() : timestampUs(lifecycle.changedAt);
      const times = timesAfter(state, atUs, agent);
      await doing("update workspace agent lifecycle state", () =>
        deps.store.updateLifecycle(agentId, { state, ...times }),
      );
      deps.events.publish({
        topic: "workspace",
        kind: "agt_lifecycle_update",
        ownerId,
        workspaceId,
        agentId,
      });
      if (isStarted(state) && !measured.has(who)) {
        measured.add(who);
        await measureBuild(deps, who, agent);
      }
      return isZero ? { state: lifecycle.state, changedAt: usTimestamp(atUs) } : lifecycle;
    },

    async updateStartup({ startup }, context) {
      if (startup === undefined) throw new HandlerFailure("startup is required");
      const { agentId, apiVersion } = sessionOf(context);
      checkApiVersion(apiVersion);
      await freshAgent(deps, agentId);
      if (!goSemver.test(startup.version)) {
        throw new HandlerFailure(`invalid agent semver version ${goQuote(startup.version)}`);
      }
      const names = startup.subsystems.map((subsystem) => {
        const name = subsystems[subsystem];
        if (name !== undefined) return name;
        throw new HandlerFailure(
          `invalid agent subsystem ${goQuote(enumText(Startup_Subsystem, subsystem))}`,
        );
      });
      await doing("update workspace agent startup in database", () =>
        deps.store.updateStartup(agentId, {
          version: startup.version,
          apiVersion,
          expandedDirectory: startup.expandedDirectory,
          subsystems: [...new Set(names)].sort(),
        }),
      );
      return startup;
    },
  };
}

function checkApiVersion(text: string): void {
  try {
    parseVersion(text);
  } catch (error) {
    if (error instanceof VersionError) throw new HandlerFailure("internal error; api version unspecified");
    throw error;
  }
}

function isStarted(state: LifecycleState): boolean {
  return state === "ready" || state === "start_timeout" || state === "start_error";
}

/** What a new state does to the two times. S3.37. */
function timesAfter(
  state: LifecycleState,
  atUs: number,
  before: { startedAtUs: number | undefined; readyAtUs: number | undefined },
) {
  if (state === "starting") return { startedAtUs: atUs, readyAtUs: undefined };
  if (isStarted(state)) {
    return { startedAtUs: before.startedAtUs ?? atUs, readyAtUs: atUs };
  }
  return { startedAtUs: before.startedAtUs, readyAtUs: before.readyAtUs };
}

/** A known value by its name, an unknown one by its number. S3.11. */
export function enumText(names: Readonly<Record<number, string>>, value: number): string {
  return names[value] ?? String(value);
}
