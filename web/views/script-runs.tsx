import { useState } from "preact/hooks";
import type { GetAgentResponse, ScriptRun } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { msOf } from "../clock.js";
import { Nothing, Section, WideTable } from "../parts/section.js";
import { State } from "../parts/status.js";
import { Clock } from "../parts/time.js";
import { type Span, type SpanGroup, spanGroups } from "../script-groups.js";
import { counted, duration, timeOfDay, words } from "../words.js";

const leastGapMs = 60_000;
const groupsAtOnce = 3;
const axis = 1000;
/** A run that took no time is to be seen all the same. */
const leastBar = 6;

interface RunSpan extends Span {
  run: ScriptRun;
}

/** Runs of scripts, those at the same time below each other on one axis. */
export function ScriptRuns({ details: { scriptRuns } }: { details: GetAgentResponse }) {
  const [count, setCount] = useState(groupsAtOnce);
  const spans = scriptRuns.flatMap((run): RunSpan[] => {
    const startMs = msOf(run.startedAt);
    return startMs === undefined
      ? []
      : [{ run, startMs, endMs: Math.max(startMs, msOf(run.endedAt) ?? startMs) }];
  });
  const groups = spanGroups(spans, leastGapMs);
  return (
    <Section id="scripts" title="Script timings">
      {groups.length === 0 ? <Nothing>No script has run.</Nothing> : null}
      {groups.slice(0, count).map((group) => (
        <Waterfall key={group.startMs} group={group} />
      ))}
      {groups.length > count ? (
        <button type="button" onClick={() => setCount(count + groupsAtOnce)}>
          Show earlier runs
        </button>
      ) : null}
    </Section>
  );
}

function Waterfall({ group }: { group: SpanGroup<RunSpan> }) {
  const spanMs = Math.max(1, group.endMs - group.startMs);
  const title = `${counted(group.spans.length, "run")} from ${timeOfDay(group.startMs)}, ${duration(spanMs)}`;
  return (
    <>
      <h3>{title}</h3>
      <WideTable label={`Script timings: ${title}`}>
        <thead>
          <tr>
            <th scope="col">Script</th>
            <th scope="col">Stage</th>
            <th scope="col">Began</th>
            <th scope="col">Took</th>
            <th scope="col">Result</th>
            <th scope="col" class="timeline">
              Timeline, {duration(spanMs)}
            </th>
          </tr>
        </thead>
        <tbody>
          {group.spans.map(({ run, startMs, endMs }) => (
            <tr key={`${run.scriptId} ${startMs}`}>
              <th scope="row">{run.displayName || "a script that is there no more"}</th>
              <td>{run.stage}</td>
              <td>
                <Clock at={run.startedAt} />
              </td>
              <td class="tight">{duration(endMs - startMs)}</td>
              <td>
                <State state={run.status} text={resultOf(run)} />
              </td>
              <td class="timeline">
                <Bar
                  isGood={run.status === "ok"}
                  from={((startMs - group.startMs) / spanMs) * axis}
                  length={((endMs - startMs) / spanMs) * axis}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </WideTable>
    </>
  );
}

/** The columns beside it say the same in figures. */
function Bar({ isGood, from, length }: { isGood: boolean; from: number; length: number }) {
  return (
    <svg viewBox={`0 0 ${axis} 14`} preserveAspectRatio="none" aria-hidden="true" class="bar">
      <rect
        class={isGood ? "good" : "bad"}
        x={Math.min(from, axis - leastBar)}
        y="2"
        width={Math.max(length, leastBar)}
        height="10"
      />
    </svg>
  );
}

function resultOf({ status, exitCode }: ScriptRun): string {
  return status === "exit_failure" ? `exit code ${exitCode}` : words(status);
}
