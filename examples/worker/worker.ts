// An edge worker: whoever posts what an app is doing to it has that reported to the control plane, over the worker's
// own WebSocket. It has the shape that workers are deployed in, `{ fetch(request, env) }`, and runs as it is with
// `bun worker.ts` (which reads the default export) and `deno serve -A worker.ts`.
//
//   curl -d '{"slug":"assistant","state":"working","message":"reading"}' http://127.0.0.1:3000/status
import { AppStatusState, DialError, dialAgent, isUnimplemented } from "agentwire/client/agent";

/** What the worker is deployed with. */
export interface Env {
  CODER_AGENT_URL: string;
  CODER_AGENT_TOKEN: string;
}

const states: Readonly<Record<string, AppStatusState>> = {
  working: AppStatusState.WORKING,
  idle: AppStatusState.IDLE,
  complete: AppStatusState.COMPLETE,
  failure: AppStatusState.FAILURE,
};

const answer = (status: number, message: string) => Response.json({ message }, { status });

/** A text of a body, or an empty one. */
function textOf(body: unknown, name: string): string {
  if (typeof body !== "object" || body === null) return "";
  const value: unknown = Reflect.get(body, name);
  return typeof value === "string" ? value : "";
}

export default {
  /** `POST /status` with `slug`, `state` and `message`. */
  async fetch(request: Request, env: Partial<Env> = {}): Promise<Response> {
    if (request.method !== "POST" || new URL(request.url).pathname !== "/status") {
      return answer(404, "POST a status to /status");
    }
    const body: unknown = await request.json().catch(() => undefined);
    const state = states[textOf(body, "state")];
    if (state === undefined) return answer(400, `state must be one of ${Object.keys(states).join(", ")}`);
    // workers are given their settings; Bun and Deno have them in the environment
    const { CODER_AGENT_URL: url = "", CODER_AGENT_TOKEN: token = "" } = {
      ...globalThis.process?.env,
      ...env,
    };
    try {
      await using connection = await dialAgent({ url, token, role: "example-worker", openTimeoutMs: 5_000 });
      const status = { slug: textOf(body, "slug"), state, message: textOf(body, "message") };
      await connection.agent.updateAppStatus(status, { timeoutMs: 5_000 });
      return answer(200, "reported");
    } catch (error) {
      if (isUnimplemented(error)) return answer(501, "this control plane keeps no statuses of apps");
      if (error instanceof DialError) return answer(502, `the control plane refuses: ${error.reason}`);
      return answer(502, error instanceof Error ? error.message : String(error));
    }
  },
};
