import { signal } from "@preact/signals";

/** Where one is on the page. */
export type Route = { view: "agents" } | { view: "agent" | "direct"; agentId: string };

/** Where one is now. */
export const route = signal<Route>({ view: "agents" });

/** Follows the address bar. */
export function followAddress(): void {
  const update = () => {
    // a link with a token may be opened in a tab that has the page already
    if (location.hash.startsWith("#token=")) location.reload();
    else route.value = routeOf(location.hash);
  };
  window.addEventListener("hashchange", update);
  route.value = routeOf(location.hash);
}

function routeOf(hash: string): Route {
  const match = /^#\/agents\/([0-9a-f-]{36})(\/direct)?$/.exec(hash);
  if (match?.[1] === undefined) return { view: "agents" };
  return { view: match[2] === undefined ? "agent" : "direct", agentId: match[1] };
}

/** The address of an agent's view. */
export function agentHref(agentId: string, view: "agent" | "direct" = "agent"): string {
  return `#/agents/${agentId}${view === "direct" ? "/direct" : ""}`;
}
