import { useState } from "preact/hooks";
import type { GetAgentResponse } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { msOf } from "../clock.js";
import { Nothing, Pager, Section, WideTable } from "../parts/section.js";
import { State } from "../parts/status.js";
import { Clock } from "../parts/time.js";
import { counted, duration, printable, words } from "../words.js";

const rowsOnPage = 20;

/** A page of rows, and what goes from page to page. */
function usePages<T>(rows: readonly T[], label: string) {
  const [page, setPage] = useState(0);
  const pages = Math.ceil(rows.length / rowsOnPage);
  const at = Math.min(page, Math.max(0, pages - 1));
  const pager = <Pager label={label} page={at} pages={pages} onPage={setPage} />;
  return { shown: rows.slice(at * rowsOnPage, (at + 1) * rowsOnPage), pager };
}

/** What the agent's boundary let pass and refused, newest first. */
export function Decisions({ details: { boundaryDecisions } }: { details: GetAgentResponse }) {
  const { shown, pager } = usePages([...boundaryDecisions].reverse(), "Pages of boundary decisions");
  const denied = boundaryDecisions.filter(({ isAllowed }) => !isAllowed).length;
  return (
    <Section
      id="boundary"
      title="Boundary decisions"
      {...(boundaryDecisions.length === 0
        ? {}
        : { note: `${counted(boundaryDecisions.length, "request")}, ${denied.toLocaleString("en")} denied` })}
    >
      {boundaryDecisions.length === 0 ? (
        <Nothing>No confined program has asked for anything.</Nothing>
      ) : (
        <WideTable label="Boundary decisions">
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">Decision</th>
              <th scope="col">Request</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ id, at, isAllowed, method, url, matchedRule }) => (
              <tr key={id}>
                <td>
                  <Clock at={at} />
                </td>
                <td>
                  <State state={isAllowed ? "ok" : "failure"} text={isAllowed ? "allowed" : "denied"} />
                </td>
                <td class="request">
                  {printable(method)} {printable(url)}
                  {matchedRule === "" ? null : <span class="quiet"> by {printable(matchedRule)}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </WideTable>
      )}
      {pager}
    </Section>
  );
}

/** Who has connected to the agent, newest first. */
export function Connections({ details: { connections } }: { details: GetAgentResponse }) {
  const { shown, pager } = usePages(connections, "Pages of connections");
  return (
    <Section id="connections" title="Connections">
      {connections.length === 0 ? (
        <Nothing>Nobody has connected to it.</Nothing>
      ) : (
        <WideTable label="Connections">
          <thead>
            <tr>
              <th scope="col">With</th>
              <th scope="col">From</th>
              <th scope="col">Began</th>
              <th scope="col">Lasted</th>
              <th scope="col">End</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ id, type, ip, connectedAt, disconnectedAt, statusCode, reason }) => (
              <tr key={id}>
                <th scope="row">{words(type)}</th>
                <td>{ip || "–"}</td>
                <td>
                  <Clock at={connectedAt} />
                </td>
                <td>{lasted(msOf(connectedAt), msOf(disconnectedAt))}</td>
                <td>
                  {disconnectedAt === undefined ? (
                    <State state="connected" text="open" />
                  ) : (
                    printable(reason) || `code ${statusCode}`
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </WideTable>
      )}
      {pager}
    </Section>
  );
}

function lasted(startMs: number | undefined, endMs: number | undefined): string {
  return startMs === undefined || endMs === undefined ? "–" : duration(endMs - startMs);
}
