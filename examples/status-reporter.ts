// Tells people what an app in a workspace is doing: beside the agent, whose connection state is the same before,
// during and after.
//
// With Node 22.18 or newer, which runs TypeScript as it is:
//
//   npm install agentwire @bufbuild/protobuf @connectrpc/connect
//   CODER_AGENT_URL=… CODER_AGENT_TOKEN=… node status-reporter.ts assistant working "reading the tests"
import { pathToFileURL } from "node:url";
import { AppStatusState, dialAgent, isUnimplemented } from "agentwire/client";

const states = {
  working: AppStatusState.WORKING,
  idle: AppStatusState.IDLE,
  complete: AppStatusState.COMPLETE,
  failure: AppStatusState.FAILURE,
};

/** What an app is doing. */
export interface Status {
  /** The app, as the workspace's template names it. */
  slug: string;
  state: keyof typeof states;
  /** Up to 160 bytes. */
  message: string;
}

/** Reports what an app is doing. @throws when the server has no such app, or is older than that. */
export async function reportStatus(target: { url: string; token: string }, status: Status): Promise<void> {
  // with the role "agent", which is the default, the agent would look connected
  const connection = await dialAgent({ ...target, role: "example-status-reporter" });
  try {
    const { slug, state, message } = status;
    await connection.agent.updateAppStatus({ slug, state: states[state], message }, { timeoutMs: 10_000 });
  } catch (error) {
    if (!isUnimplemented(error)) throw error;
    throw new Error("this control plane keeps no statuses of apps over this connection", { cause: error });
  } finally {
    await connection.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { CODER_AGENT_URL: url = "http://127.0.0.1:3400", CODER_AGENT_TOKEN: token = "" } = process.env;
  const [slug = "", state = "", message = ""] = process.argv.slice(2);
  if (slug === "" || !Object.hasOwn(states, state)) {
    console.error(`usage: status-reporter.ts SLUG ${Object.keys(states).join("|")} MESSAGE`);
    process.exit(2);
  }
  await reportStatus({ url, token }, { slug, state: state as Status["state"], message }).catch(
    (error: Error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
}
