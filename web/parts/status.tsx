import type { Agent, Session } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { words } from "../words.js";

/** How good or bad something is; the text says what it is, the colour only helps. */
type Tone = "good" | "busy" | "warn" | "bad" | "off";

const statusTones: Record<string, Tone> = {
  connected: "good",
  connecting: "busy",
  timeout: "warn",
  disconnected: "off",
};

const otherTones: Record<string, Tone> = {
  ready: "good",
  starting: "busy",
  created: "off",
  off: "off",
  shutting_down: "busy",
  healthy: "good",
  unhealthy: "bad",
  initializing: "busy",
  working: "busy",
  idle: "warn",
  complete: "good",
  failure: "bad",
  ok: "good",
};

/** A state with a dot in its colour. */
export function State({ state, text }: { state: string; text?: string }) {
  const tone = statusTones[state] ?? otherTones[state] ?? (/error|failure/.test(state) ? "bad" : "warn");
  return (
    <span class={`state ${tone}`}>
      <span class="dot" aria-hidden="true" />
      {text ?? words(state)}
    </span>
  );
}

/** Whether an agent is connected, and where it is in its life. */
export function AgentState({ agent }: { agent: Agent }) {
  return (
    <>
      <State state={agent.status} /> <span class="quiet lifecycle">{words(agent.lifecycleState)}</span>
    </>
  );
}

/** The roles of sessions, each with its version and how often it is there. */
export function Roles({ sessions }: { sessions: readonly Session[] }) {
  if (sessions.length === 0) return <span class="quiet">none</span>;
  const counts = new Map<string, number>();
  for (const { role, apiVersion } of sessions) {
    const key = `${role}\n${apiVersion}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return (
    <ul class="roles">
      {[...counts].map(([key, count]) => {
        const [role, version] = key.split("\n");
        return (
          <li key={key}>
            <span class={role === "agent" ? "role own" : "role"}>{role}</span>{" "}
            <span class="quiet">
              API {version}
              {count > 1 ? ` × ${count}` : ""}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
