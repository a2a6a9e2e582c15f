import { useEffect } from "preact/hooks";
import type { GetAgentResponse } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { type AgentNode, agentTree } from "../agent-order.js";
import type { FollowedAgent } from "../followed-agent.js";
import { Nothing, Section, WideTable } from "../parts/section.js";
import { AgentState, State } from "../parts/status.js";
import { Age, Clock } from "../parts/time.js";
import { agentHref } from "../route.js";
import { printable } from "../words.js";
import { Charts } from "./charts.js";
import { Logs } from "./logs.js";
import { Connections, Decisions } from "./reports.js";
import { ScriptRuns } from "./script-runs.js";

/** Everything that is known of one agent. */
export function AgentView({ followed }: { followed: FollowedAgent }) {
  const details = followed.details.value;
  const name = details?.agent?.name ?? "";
  useEffect(() => {
    document.title = `${name === "" ? "Agent" : name} – agentwire`;
  }, [name]);
  if (followed.isGone.value) return <Gone />;
  if (details?.agent === undefined) return <Nothing>{followed.trouble.value || "Reading …"}</Nothing>;
  return (
    <>
      <AgentHeading details={details} />
      {followed.trouble.value === "" ? null : (
        <p class="problem" role="alert">
          Not all of it could be read: {followed.trouble.value}
        </p>
      )}
      <div class="grid">
        <Facts details={details} />
        <Sessions details={details} />
        <Apps details={details} />
        <Metadata details={details} />
      </div>
      <Logs followed={followed} />
      <Charts details={details} />
      <ScriptRuns details={details} />
      <div class="grid">
        <Decisions details={details} />
        <Connections details={details} />
      </div>
      <Tree details={details} />
    </>
  );
}

/** What stands where an agent was. */
export function Gone() {
  return (
    <>
      <h1>No such agent</h1>
      <p>
        It was deleted, or a newer build has taken its place. <a href="#/">All agents</a>
      </p>
    </>
  );
}

/** The name of an agent, where it belongs, and how it is. */
export function AgentHeading({ details }: { details: GetAgentResponse }) {
  const { agent, owner, workspace } = details;
  if (agent === undefined) return null;
  return (
    <div class="heading">
      <nav aria-label="Breadcrumb">
        <a href="#/">Agents</a>{" "}
        <span class="quiet">
          / {owner} / {workspace} /
        </span>
      </nav>
      <h1>{agent.name}</h1>
      <p role="status" class="now">
        <AgentState agent={agent} />
      </p>
    </div>
  );
}

function Facts({ details: { agent } }: { details: GetAgentResponse }) {
  if (agent === undefined) return null;
  const machine = [agent.operatingSystem, agent.architecture].filter((part) => part !== "").join(" ");
  const facts = {
    Version: printable(agent.version),
    // what it says of itself when it starts, and else what it has dialled with
    "API version": agent.sessions.find(({ role }) => role === "agent")?.apiVersion || agent.apiVersion,
    Machine: machine,
    Directory: printable(agent.directory),
  };
  return (
    <Section id="facts" title="Agent">
      <dl>
        {Object.entries(facts).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value === "" ? "–" : value}</dd>
          </div>
        ))}
        <div>
          <dt>First connected</dt>
          <dd>
            <Age at={agent.firstConnectedAt} />
          </dd>
        </div>
        <div>
          <dt>Last seen</dt>
          <dd>
            <Age at={agent.lastConnectedAt} />
          </dd>
        </div>
      </dl>
      <p>
        <a href={agentHref(agent.id, "direct")}>Connect to the agent API from here</a>
      </p>
    </Section>
  );
}

function Sessions({ details: { agent } }: { details: GetAgentResponse }) {
  const sessions = agent?.sessions ?? [];
  return (
    <Section id="sessions" title="API connections">
      {sessions.length === 0 ? (
        <Nothing>Nobody is connected with its token to this server.</Nothing>
      ) : (
        <WideTable label="API connections">
          <thead>
            <tr>
              <th scope="col">Role</th>
              <th scope="col">API</th>
              <th scope="col">From</th>
              <th scope="col">Since</th>
            </tr>
          </thead>
          <tbody>
            {sessions.map(({ role, apiVersion, remoteAddress, startedAt }, index) => (
              <tr key={index}>
                <th scope="row">
                  <span class={role === "agent" ? "role own" : "role"}>{role}</span>
                </th>
                <td>{apiVersion}</td>
                <td>{remoteAddress}</td>
                <td>
                  <Age at={startedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </WideTable>
      )}
    </Section>
  );
}

function Apps({ details: { agent } }: { details: GetAgentResponse }) {
  const apps = agent?.apps ?? [];
  return (
    <Section id="apps" title="Apps">
      {apps.length === 0 ? (
        <Nothing>It has none.</Nothing>
      ) : (
        <ul class="app-list">
          {apps.map(({ id, displayName, slug, health, latestStatus }) => (
            <li key={id}>
              <strong>{displayName}</strong> <span class="quiet">{slug}</span>{" "}
              {health === "disabled" ? null : <State state={health} />}
              {latestStatus === undefined ? (
                <p class="quiet">It has said nothing yet.</p>
              ) : (
                <p>
                  <State state={latestStatus.state} /> {printable(latestStatus.message)}{" "}
                  <span class="quiet">
                    <Age at={latestStatus.createdAt} />
                  </span>
                  <Uri uri={latestStatus.uri} />
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

/** A link only where it is one of the web: the text is the agent's. */
function Uri({ uri }: { uri: string }) {
  if (uri === "") return null;
  return (
    <>
      {" "}
      {/^https?:\/\//i.test(uri) ? (
        <a href={uri} rel="noreferrer noopener" target="_blank">
          {uri}
        </a>
      ) : (
        <code>{printable(uri)}</code>
      )}
    </>
  );
}

function Metadata({ details: { metadata } }: { details: GetAgentResponse }) {
  return (
    <Section id="metadata" title="Metadata">
      {metadata.length === 0 ? (
        <Nothing>It collects none.</Nothing>
      ) : (
        <WideTable label="Metadata">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Value</th>
              <th scope="col">Age</th>
            </tr>
          </thead>
          <tbody>
            {metadata.map(({ key, displayName, value, error, collectedAt }) => (
              <tr key={key}>
                <th scope="row">{displayName || key}</th>
                <td class="value">
                  {printable(value.trim())}
                  {error === "" ? null : <span class="problem"> {printable(error)}</span>}
                </td>
                <td>
                  <Age at={collectedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </WideTable>
      )}
    </Section>
  );
}

function Tree({ details: { agent, workspaceAgents } }: { details: GetAgentResponse }) {
  return (
    <Section id="tree" title="Agents of the workspace">
      <Branches nodes={agentTree(workspaceAgents)} currentId={agent?.id ?? ""} />
    </Section>
  );
}

function Branches({ nodes, currentId }: { nodes: readonly AgentNode[]; currentId: string }) {
  return (
    <ul class="tree">
      {nodes.map(({ agent, children }) => (
        <li key={agent.id}>
          <a href={agentHref(agent.id)} aria-current={agent.id === currentId ? "page" : undefined}>
            {agent.name}
          </a>{" "}
          <State state={agent.status} />{" "}
          <span class="quiet">
            made at <Clock at={agent.createdAt} />
          </span>
          {children.length === 0 ? null : <Branches nodes={children} currentId={currentId} />}
        </li>
      ))}
    </ul>
  );
}
