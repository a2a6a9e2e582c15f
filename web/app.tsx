import { useEffect, useMemo, useRef } from "preact/hooks";
import { type Admin, adminWith } from "./admin.js";
import { FollowedAgent } from "./followed-agent.js";
import { liveness, stayLive, trouble, workspaces } from "./live.js";
import { type Route, route } from "./route.js";
import { adminToken, signOut } from "./token.js";
import { AgentView } from "./views/agent.js";
import { DirectView } from "./views/direct.js";
import { Overview } from "./views/overview.js";
import { SignIn } from "./views/sign-in.js";

/** The page. */
export function App() {
  const token = adminToken.value;
  return token === "" ? <SignIn /> : <Console key={token} token={token} />;
}

function Console({ token }: { token: string }) {
  const admin = useMemo(() => adminWith(token), [token]);
  const at = route.value;
  const agentId = at.view === "agents" ? "" : at.agentId;
  const followed = useMemo(
    () => (agentId === "" ? undefined : new FollowedAgent(admin, agentId)),
    [admin, agentId],
  );
  useEffect(() => {
    const abort = new AbortController();
    void stayLive(admin, followed, abort.signal);
    return () => {
      abort.abort();
      followed?.end();
    };
  }, [admin, followed]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to content
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <img src="/page/icon.svg" alt="" width="24" height="24" />
          agentwire
        </a>
        <Liveness />
        <button
          type="button"
          onClick={() => {
            workspaces.value = undefined;
            liveness.value = "connecting";
            signOut();
          }}
        >
          Sign out
        </button>
      </header>
      <Main at={at} admin={admin} followed={followed} />
    </>
  );
}

function Main({ at, admin, followed }: { at: Route; admin: Admin; followed: FollowedAgent | undefined }) {
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const place = `${at.view} ${at.view === "agents" ? "" : at.agentId}`;
  // whoever goes elsewhere begins at the top there
  useEffect(() => {
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
    window.scrollTo(0, 0);
  }, [place]);
  return (
    <main id="main" tabIndex={-1} ref={main}>
      {followed === undefined ? (
        <Overview />
      ) : at.view === "direct" ? (
        <DirectView key={followed.agentId} admin={admin} followed={followed} />
      ) : (
        <AgentView key={followed.agentId} followed={followed} />
      )}
    </main>
  );
}

const livenessTexts = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

function Liveness() {
  const state = liveness.value;
  return (
    <p class={`liveness ${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      {livenessTexts[state]}
      {state === "lost" && trouble.value !== "" ? `: ${trouble.value}` : ""}
    </p>
  );
}
