import type { GetAgentResponse, ResourceMonitor } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { msOf } from "../clock.js";
import { Nothing, Section } from "../parts/section.js";
import { bytes, duration } from "../words.js";

interface Point {
  atMs: number;
  value: number;
}

interface Series {
  title: string;
  points: readonly Point[];
  /** What the value at the top stands for. */
  top: number;
  /** A line across, such as a threshold. */
  mark?: { value: number; text: string } | undefined;
  shown(value: number): string;
  /** Where many values are named at once; as `shown` by default. */
  brief?(value: number): string;
}

const width = 320;
const height = 96;
/** Above the largest value there is some room. */
const headroom = 1.25;

/** Memory, volumes and traffic over time. */
export function Charts({ details }: { details: GetAgentResponse }) {
  const series = [...resourceSeries(details), ...trafficSeries(details)].filter(
    ({ points }) => points.length > 0,
  );
  return (
    <Section id="resources" title="Resources">
      {series.length === 0 ? (
        <Nothing>It has reported nothing yet.</Nothing>
      ) : (
        <div class="charts">
          {series.map((one) => (
            <Chart key={one.title} series={one} />
          ))}
        </div>
      )}
    </Section>
  );
}

/** A line over time. Its caption says in words what it shows. */
function Chart({ series }: { series: Series }) {
  const { title, points, top, mark, shown, brief = shown } = series;
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  const spanMs = Math.max(1, last.atMs - first.atMs);
  const x = (atMs: number) => ((atMs - first.atMs) / spanMs) * width;
  const y = (value: number) => height - (Math.min(value, top) / top) * height;
  const line = points.map(({ atMs, value }) => `${x(atMs).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const values = points.map(({ value }) => value);
  const range = `${brief(Math.min(...values))} to ${brief(Math.max(...values))}`;
  const over = points.length === 1 ? "one sample" : `${range} in ${duration(spanMs)}`;
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong> <span class="figure">{shown(last.value)}</span>
        <span class="quiet">
          {over}
          {mark === undefined ? "" : `, ${mark.text}`}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${shown(last.value)} now, ${over}`}
      >
        <line class="base" x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
        {mark === undefined ? null : (
          <line class="mark" x1="0" x2={width} y1={y(mark.value)} y2={y(mark.value)} />
        )}
        {points.length === 1 ? (
          <line class="single" x1="0" x2={width} y1={y(last.value)} y2={y(last.value)} />
        ) : (
          <>
            <polygon class="area" points={`0,${height} ${line} ${width},${height}`} />
            <polyline class="curve" points={line} />
          </>
        )}
      </svg>
    </figure>
  );
}

function percent(value: number): string {
  return `${Math.round(value)} %`;
}

function resourceSeries({ resourceSamples, memoryMonitor, volumeMonitors }: GetAgentResponse): Series[] {
  const paths = new Set(resourceSamples.flatMap(({ volumes }) => volumes.map(({ path }) => path)));
  const seriesOf = (
    title: string,
    path: string | undefined,
    monitor: ResourceMonitor | undefined,
  ): Series => {
    let total = 0;
    const points = resourceSamples.flatMap(({ collectedAt, memory, volumes }) => {
      const use = path === undefined ? memory : volumes.find((volume) => volume.path === path);
      const atMs = msOf(collectedAt);
      if (use === undefined || atMs === undefined || use.totalBytes <= 0n) return [];
      total = Number(use.totalBytes);
      return [{ atMs, value: (100 * Number(use.usedBytes)) / Number(use.totalBytes) }];
    });
    const threshold = monitor?.isEnabled ? monitor.thresholdPercent : 0;
    return {
      title,
      points: inOrder(points),
      top: 100,
      mark: threshold > 0 ? { value: threshold, text: `warns at ${threshold} %` } : undefined,
      shown: (value) => `${percent(value)} of ${bytes(total)}`,
      brief: percent,
    };
  };
  return [
    seriesOf("Memory", undefined, memoryMonitor),
    ...[...paths].map((path) =>
      seriesOf(
        `Volume ${path}`,
        path,
        volumeMonitors.find((monitor) => monitor.path === path),
      ),
    ),
  ];
}

function trafficSeries({ stats }: GetAgentResponse): Series[] {
  const seriesOf = (
    title: string,
    pick: (report: (typeof stats)[number]) => number,
    shown: Series["shown"],
  ): Series => {
    const points = stats.flatMap((report) => {
      const atMs = msOf(report.createdAt);
      return atMs === undefined ? [] : [{ atMs, value: pick(report) }];
    });
    const top = headroom * Math.max(1, ...points.map(({ value }) => value));
    return { title, points: inOrder(points), top, shown };
  };
  return [
    seriesOf("Received", ({ rxBytes }) => Number(rxBytes), bytes),
    seriesOf("Sent", ({ txBytes }) => Number(txBytes), bytes),
    seriesOf("Open connections", ({ connectionCount }) => Number(connectionCount), String),
  ];
}

function inOrder(points: readonly Point[]): readonly Point[] {
  return [...points].sort((a, b) => a.atMs - b.atMs);
}
