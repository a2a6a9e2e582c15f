import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Agent, Workspace } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { agentTree, inTreeOrder } from "../agent-order.js";
import { workspaces } from "../live.js";
import { Choice } from "../parts/choice.js";
import { Nothing, Pager } from "../parts/section.js";
import { AgentState, Roles, State } from "../parts/status.js";
import { agentHref } from "../route.js";
import { counted, printable } from "../words.js";

const agentsOnPage = 50;
/** What may be searched for; an empty text is any. */
const statuses = ["", "connected", "connecting", "disconnected", "timeout"];

const search = signal("");
const wantedStatus = signal("");
const page = signal(0);

interface Row {
  workspace: Workspace;
  agent: Agent;
  depth: number;
}

/** All agents by workspace, with a search. They are shown in pages, so that many are no burden. */
export function Overview() {
  useEffect(() => {
    document.title = "Agents – agentwire";
  }, []);
  const known = workspaces.value;
  if (known === undefined) return <Nothing>Reading …</Nothing>;
  const all = [...known.values()].flatMap(rowsOf);
  const rows = all.filter(isWanted);
  const pages = Math.max(1, Math.ceil(rows.length / agentsOnPage));
  const at = Math.min(page.value, pages - 1);
  const shown = rows.slice(at * agentsOnPage, (at + 1) * agentsOnPage);
  const found = rows.length === all.length ? "" : `, ${rows.length.toLocaleString("en")} of them shown`;
  return (
    <>
      <h1>Agents</h1>
      <Filters />
      <p class="quiet" role="status">
        {counted(all.length, "agent")} in {counted(known.size, "workspace")}, {connectedCount(all)} connected
        {found}
      </p>
      {shown.length === 0 ? (
        <Nothing>
          {all.length === 0 ? "There are no agents: declare some in a workspaces file." : "No agent fits."}
        </Nothing>
      ) : (
        <AgentTable rows={shown} />
      )}
      <Pager
        label="Pages of agents"
        page={at}
        pages={pages}
        onPage={(next) => {
          page.value = next;
        }}
      />
    </>
  );
}

function Filters() {
  return (
    <search class="filters">
      <label>
        Search
        <input
          type="search"
          value={search.value}
          placeholder="owner, workspace, agent, version, role"
          onInput={(event) => {
            search.value = event.currentTarget.value;
            page.value = 0;
          }}
        />
      </label>
      <Choice
        label="Status"
        value={wantedStatus.value}
        values={statuses}
        textOf={(status) => status || "any"}
        onChoose={(status) => {
          wantedStatus.value = status;
          page.value = 0;
        }}
      />
    </search>
  );
}

function AgentTable({ rows }: { rows: readonly Row[] }) {
  const groups = new Map<Workspace, Row[]>();
  for (const row of rows) groups.set(row.workspace, [...(groups.get(row.workspace) ?? []), row]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within reach of the keyboard
    <section class="wide card" aria-label="Agents by workspace" tabIndex={0}>
      <table class="agents">
        <thead>
          <tr>
            <th scope="col">Agent</th>
            <th scope="col">Status</th>
            <th scope="col">Connections</th>
            <th scope="col">Apps</th>
          </tr>
        </thead>
        {[...groups].map(([workspace, members]) => (
          <tbody key={workspace.id}>
            <tr class="group">
              <th scope="rowgroup" colSpan={4}>
                <span class="quiet">{workspace.owner} /</span> {workspace.name}{" "}
                <Build workspace={workspace} />
              </th>
            </tr>
            {members.map(({ agent, depth }) => (
              <AgentRow key={agent.id} agent={agent} depth={depth} />
            ))}
          </tbody>
        ))}
      </table>
    </section>
  );
}

function AgentRow({ agent, depth }: { agent: Agent; depth: number }) {
  return (
    <tr>
      <th scope="row" class={`depth-${Math.min(depth, 3)}`}>
        <a href={agentHref(agent.id)}>{agent.name}</a>
        <span class="quiet version">{agent.version === "" ? "" : printable(agent.version)}</span>
      </th>
      <td>
        <AgentState agent={agent} />
      </td>
      <td class={agent.sessions.length === 0 ? "none" : ""}>
        <Roles sessions={agent.sessions} />
      </td>
      <td class={agent.apps.length === 0 ? "none" : ""}>
        <Apps agent={agent} />
      </td>
    </tr>
  );
}

function Apps({ agent: { apps } }: { agent: Agent }) {
  if (apps.length === 0) return <span class="quiet">none</span>;
  return (
    <ul class="apps">
      {apps.map(({ id, displayName, health, latestStatus }) => (
        <li key={id}>
          <span class="app-name">{displayName}</span>
          {latestStatus === undefined ? null : (
            <>
              {" "}
              <State state={latestStatus.state} />{" "}
              <span class="quiet message">{printable(latestStatus.message)}</span>
            </>
          )}
          {health === "disabled" ? null : (
            <>
              {" "}
              <State state={health} />
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function Build({ workspace: { latestBuild, isPrebuilt } }: { workspace: Workspace }) {
  const facts = [
    isPrebuilt ? "prebuilt, not claimed" : "",
    latestBuild === undefined || latestBuild.transition === "start"
      ? ""
      : `stopped (${latestBuild.transition})`,
    latestBuild === undefined || latestBuild.jobStatus === "succeeded"
      ? ""
      : `build ${latestBuild.jobStatus}`,
  ].filter((fact) => fact !== "");
  return facts.length === 0 ? null : <span class="quiet">– {facts.join(", ")}</span>;
}

function rowsOf(workspace: Workspace): Row[] {
  return inTreeOrder(agentTree(workspace.agents)).map((row) => ({ workspace, ...row }));
}

function isWanted({ workspace, agent }: Row): boolean {
  if (wantedStatus.value !== "" && agent.status !== wantedStatus.value) return false;
  const text = search.value.trim().toLowerCase();
  if (text === "") return true;
  const roles = agent.sessions.map(({ role }) => role);
  const facts = [
    `${workspace.owner}/${workspace.name}/${agent.name}`,
    agent.version,
    agent.lifecycleState,
    ...roles,
  ];
  return facts.some((fact) => fact.toLowerCase().includes(text));
}

function connectedCount(rows: readonly Row[]): string {
  return rows.filter(({ agent }) => agent.status === "connected").length.toLocaleString("en");
}
