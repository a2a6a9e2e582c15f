import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LogLine } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import type { FollowedAgent } from "../followed-agent.js";
import { Choice } from "../parts/choice.js";
import { Nothing, Section } from "../parts/section.js";
import { Clock } from "../parts/time.js";
import { bytes, counted, printable } from "../words.js";

const levels = ["trace", "debug", "info", "warn", "error"];
/** More lines are shown on demand, so that a long log is no burden. */
const linesAtOnce = 400;

/** An agent's log: it is followed, and can be searched. */
export function Logs({ followed }: { followed: FollowedAgent }) {
  const [search, setSearch] = useState("");
  const [level, setLevel] = useState("trace");
  const [source, setSource] = useState("");
  const [isFollowing, setFollowing] = useState(true);
  const [shownCount, setShownCount] = useState(linesAtOnce);
  const all = followed.lines.value;
  const sources = followed.details.value?.logSources ?? [];
  const matching = useMemo(() => {
    const text = search.toLowerCase();
    const least = levels.indexOf(level);
    return all.filter(
      (line) =>
        (source === "" || line.sourceId === source) &&
        levels.indexOf(line.level) >= least &&
        (text === "" || printable(line.output).toLowerCase().includes(text)),
    );
  }, [all, search, level, source]);
  const shown = matching.slice(-shownCount);
  const names = useMemo(() => new Map(sources.map(({ id, displayName }) => [id, displayName])), [sources]);
  const isFiltered = matching.length !== all.length;
  return (
    <Section id="logs" title="Log">
      <search class="filters">
        <label>
          Search the log
          <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        </label>
        <Choice label="From level" value={level} values={levels} onChoose={setLevel} />
        <Choice
          label="Source"
          value={source}
          values={["", ...names.keys()]}
          textOf={(id) => names.get(id) ?? "all"}
          onChoose={setSource}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={isFollowing}
            onChange={(event) => setFollowing(event.currentTarget.checked)}
          />
          Follow
        </label>
      </search>
      <p class="quiet" role="status">
        {isFiltered
          ? `${matching.length.toLocaleString("en")} of ${counted(all.length, "line")} match`
          : counted(all.length, "line")}
      </p>
      {matching.length > shown.length ? (
        <button type="button" class="earlier" onClick={() => setShownCount(shownCount + linesAtOnce)}>
          Show earlier lines
        </button>
      ) : null}
      <Lines
        lines={shown}
        names={names}
        search={search}
        isFollowing={isFollowing}
        onLeave={() => setFollowing(false)}
      />
      <Limit followed={followed} />
    </Section>
  );
}

/** What a limit means, in a sentence. */
function Limit({ followed }: { followed: FollowedAgent }) {
  const isReached = followed.isOverflowed.value;
  const { logsBytes = 0n, maxLogsBytes = 0n } = followed.details.value ?? {};
  return (
    <p role="status" class={isReached ? "limit" : ""}>
      {isReached
        ? `Log limit reached; the script itself goes on. Later lines are not kept: ${bytes(Number(logsBytes))} of at most ${bytes(Number(maxLogsBytes))} are.`
        : ""}
    </p>
  );
}

function Lines(props: {
  lines: readonly LogLine[];
  names: ReadonlyMap<string, string>;
  search: string;
  isFollowing: boolean;
  onLeave(): void;
}) {
  const { lines, names, search, isFollowing, onLeave } = props;
  const box = useRef<HTMLDivElement>(null);
  const last = lines.at(-1)?.id;
  // a new last line is what moves the end
  useEffect(() => {
    if (isFollowing && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [isFollowing, last, search]);
  const leaveAtWheel = (event: WheelEvent) => {
    if (event.deltaY < 0) onLeave();
  };
  const leaveAtKey = (event: KeyboardEvent) => {
    if (["ArrowUp", "PageUp", "Home"].includes(event.key)) onLeave();
  };
  return (
    <div
      class="lines"
      ref={box}
      role="log"
      // a log of hundreds of lines a second is not read out; the count above it is
      aria-live="off"
      aria-label="Lines of the log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within reach of the keyboard
      tabIndex={0}
      onWheel={leaveAtWheel}
      onKeyDown={leaveAtKey}
    >
      {lines.length === 0 ? <Nothing>No lines.</Nothing> : null}
      {lines.map((line) => (
        <p key={String(line.id)} class={`line ${line.level}`}>
          <span class="at">
            <Clock at={line.createdAt} />
          </span>{" "}
          <span class="level">{line.level}</span>{" "}
          {names.size > 1 ? <span class="source">{names.get(line.sourceId) ?? ""} </span> : null}
          <span class="output">
            <Marked text={printable(line.output)} search={search} />
          </span>
        </p>
      ))}
    </div>
  );
}

/** A text with what was searched for marked. */
function Marked({ text, search }: { text: string; search: string }) {
  if (search === "") return <>{text}</>;
  const parts = [];
  const lower = text.toLowerCase();
  const wanted = search.toLowerCase();
  // where lower case has another length, places in the one are none in the other
  if (lower.length !== text.length) return <>{text}</>;
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  return (
    <>
      {parts}
      {text.slice(from)}
    </>
  );
}
