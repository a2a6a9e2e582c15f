import { useEffect, useRef, useState } from "preact/hooks";
import type { Manifest } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { type Admin, read, whatFailed } from "../admin.js";
import type { DirectSession } from "../direct-session.js";
import type { FollowedAgent } from "../followed-agent.js";
import { Choice } from "../parts/choice.js";
import { Nothing, Section } from "../parts/section.js";
import { duration, printable } from "../words.js";
import { AgentHeading, Gone } from "./agent.js";

type AppState = Parameters<DirectSession["updateAppStatus"]>[1];

const appStates: readonly AppState[] = ["working", "idle", "complete", "failure"];

/** What is so between this browser and the agent API. */
type Stage =
  | { at: "apart"; why: string }
  | { at: "dialling" }
  | { at: "connected"; session: DirectSession; manifest: Manifest; tookMs: number };

/** A connection with the agent API, made by the browser itself: dRPC over yamux over a WebSocket. */
export function DirectView({ admin, followed }: { admin: Admin; followed: FollowedAgent }) {
  const [stage, setStage] = useState<Stage>({ at: "apart", why: "" });
  const held = useRef<DirectSession | undefined>(undefined);
  const left = useRef(new AbortController());
  const details = followed.details.value;
  const name = details?.agent?.name ?? "";
  useEffect(() => {
    document.title = `${name === "" ? "Agent" : name}, direct – agentwire`;
  }, [name]);
  useEffect(
    () => () => {
      left.current.abort();
      void held.current?.close();
    },
    [],
  );
  if (followed.isGone.value) return <Gone />;
  if (details?.agent === undefined) return <Nothing>{followed.trouble.value || "Reading …"}</Nothing>;

  const connect = async (ownToken: string) => {
    setStage({ at: "dialling" });
    const { signal } = left.current;
    try {
      const { token, apiVersion } = await admin.getAgentToken({ agentId: followed.agentId }, read(signal));
      const { openDirectSession } = await import("../direct-session.js");
      const session = await openDirectSession(ownToken || token, apiVersion);
      if (signal.aborted) return void session.close();
      held.current = session;
      void session.closed.then((why) => {
        if (!signal.aborted && held.current === session) setStage({ at: "apart", why });
      });
      const beginMs = performance.now();
      const manifest = await session.getManifest();
      setStage({ at: "connected", session, manifest, tookMs: performance.now() - beginMs });
    } catch (error) {
      if (!signal.aborted) setStage({ at: "apart", why: whatFailed(error) });
    }
  };
  const disconnect = async () => {
    const session = held.current;
    held.current = undefined;
    await session?.close();
    setStage({ at: "apart", why: "You have disconnected." });
  };

  return (
    <>
      <AgentHeading details={details} />
      <Section
        id="direct"
        title="Direct connection"
        note="This browser dials the agent API itself, over a WebSocket, with the agent's token and the role agentwire-page. The agent does not look connected by it."
      >
        {stage.at === "connected" ? (
          <Connected stage={stage} onLeave={() => void disconnect()} />
        ) : (
          <Dial stage={stage} onDial={(token) => void connect(token)} />
        )}
        <p role="status">{stage.at === "connected" ? `Connected, API ${stage.session.version}` : ""}</p>
        <p role="alert" class="problem">
          {stage.at === "apart" ? printable(stage.why) : ""}
        </p>
      </Section>
      <p>
        <a href={`#/agents/${followed.agentId}`}>Back to the agent</a>
      </p>
    </>
  );
}

function Dial({ stage, onDial }: { stage: Stage; onDial(token: string): void }) {
  const [token, setToken] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    onDial(token.trim());
  };
  return (
    <form onSubmit={submit} class="dial">
      <label>
        Agent token
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="asked of the admin API when left empty"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary" disabled={stage.at === "dialling"}>
        {stage.at === "dialling" ? "Connecting …" : "Connect"}
      </button>
    </form>
  );
}

function Connected(props: { stage: Stage & { at: "connected" }; onLeave(): void }) {
  const { session, manifest, tookMs } = props.stage;
  const [roundTripMs, setRoundTripMs] = useState<number | undefined>(undefined);
  const ping = async () => setRoundTripMs(await session.ping().catch(() => undefined));
  const facts = {
    "Agent of the manifest": manifest.agentName,
    Workspace: `${manifest.ownerUsername} / ${manifest.workspaceName}`,
    Directory: manifest.directory || "–",
    Apps: manifest.apps.map(({ slug }) => slug).join(", ") || "none",
    Scripts: manifest.scripts.map(({ displayName }) => displayName).join(", ") || "none",
    Metadata: manifest.metadata.map(({ key }) => key).join(", ") || "none",
    "GetManifest took": duration(tookMs),
    "Ping took": roundTripMs === undefined ? "–" : duration(roundTripMs),
  };
  return (
    <>
      <dl>
        {Object.entries(facts).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{printable(value)}</dd>
          </div>
        ))}
      </dl>
      <div class="buttons">
        <button type="button" onClick={() => void ping()}>
          Ping
        </button>
        <button type="button" onClick={props.onLeave}>
          Disconnect
        </button>
      </div>
      {manifest.apps.length === 0 ? null : (
        <StatusForm session={session} slugs={manifest.apps.map(({ slug }) => slug)} />
      )}
    </>
  );
}

/** Says something in an app's name, as a program beside the agent would. */
function StatusForm({ session, slugs }: { session: DirectSession; slugs: readonly string[] }) {
  const [slug, setSlug] = useState(slugs[0] ?? "");
  const [state, setState] = useState<AppState>("working");
  const [message, setMessage] = useState("");
  const [outcome, setOutcome] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await session.updateAppStatus(slug, state, message);
      setOutcome("Sent.");
    } catch (error) {
      setOutcome(whatFailed(error));
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)} aria-labelledby="status-form">
      <h3 id="status-form">Report an app's status</h3>
      <div class="filters">
        <Choice label="App" value={slug} values={slugs} onChoose={setSlug} />
        <Choice label="State" value={state} values={appStates} onChoose={setState} />
        <label class="grow">
          Message
          <input value={message} maxLength={160} onInput={(event) => setMessage(event.currentTarget.value)} />
        </label>
        <button type="submit">Send</button>
      </div>
      <p role="status" class="quiet">
        {outcome}
      </p>
    </form>
  );
}
