import { describe, expect, it } from "vitest";
import { observing } from "../../src/observe/index.js";
import { prometheusMetrics } from "../../src/observe/prometheus.js";
import { dialled } from "../support/control-plane.js";
import { testPlane } from "../support/test-plane.js";

/** The lines that have samples, of one name. */
function samples(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(name) && !line.startsWith("#"));
}

const manifest = 'rpc_service="coder.agent.v2.Agent",rpc_method="GetManifest"';

describe("metrics for Prometheus", () => {
  it("count connections, calls and messages, and how long calls took", async () => {
    const metrics = prometheusMetrics({ bucketsSeconds: [0.000001, 60] });
    const plane = await testPlane({ observer: observing(metrics.listen, { decodeMessages: false }) });
    const connection = await dialled(plane.agent);
    for (let i = 0; i < 3; i++) await connection.agent.getManifest({});
    await expect(connection.agent.updateAppStatus({ slug: "none" })).rejects.toThrow();
    expect(samples(metrics.text(), "agentwire_connections_open")).toEqual(["agentwire_connections_open 1"]);
    await connection.close();
    await plane.waitFor("the end", () => metrics.text().includes("agentwire_connections_open 0"));
    const text = metrics.text();
    expect(samples(text, "agentwire_connections_total")).toEqual(["agentwire_connections_total 1"]);
    expect(samples(text, "agentwire_rpc_started_total")).toContain(
      `agentwire_rpc_started_total{${manifest}} 3`,
    );
    expect(samples(text, "agentwire_rpc_open")).toContain(`agentwire_rpc_open{${manifest}} 0`);
    expect(samples(text, "agentwire_rpc_messages_total")).toContain(
      `agentwire_rpc_messages_total{${manifest},direction="to-client"} 3`,
    );
    const durations = samples(text, `agentwire_rpc_duration_seconds_bucket{${manifest}`);
    expect(durations).toEqual([
      `agentwire_rpc_duration_seconds_bucket{${manifest},code="ok",le="0.000001"} 0`,
      `agentwire_rpc_duration_seconds_bucket{${manifest},code="ok",le="60"} 3`,
      `agentwire_rpc_duration_seconds_bucket{${manifest},code="ok",le="+Inf"} 3`,
    ]);
    expect(samples(text, "agentwire_rpc_duration_seconds_count")).toContain(
      'agentwire_rpc_duration_seconds_count{rpc_service="coder.agent.v2.Agent",rpc_method="UpdateAppStatus",code="unknown"} 1',
    );
    expect(samples(text, "agentwire_connection_bytes_total")).toHaveLength(2);
  });

  it("have one series for all names that peers make up", () => {
    const metrics = prometheusMetrics();
    for (let i = 0; i < 1000; i++) {
      metrics.listen({ type: "rpc-begin", time: 0, connection: 1, stream: 1, rpc: `/made.Up/Name${i}` });
    }
    expect(samples(metrics.text(), "agentwire_rpc_started_total")).toEqual([
      'agentwire_rpc_started_total{rpc_service="other",rpc_method="other"} 1000',
    ]);
  });

  it("have a head for each name, and names with a prefix of one's own", () => {
    const text = prometheusMetrics({ prefix: "mine" }).text();
    const heads = text.split("\n").filter((line) => line.startsWith("# TYPE"));
    expect(heads).toHaveLength(9);
    for (const head of heads) expect(head).toMatch(/^# TYPE mine_[a-z_]+ (counter|gauge|histogram)$/);
  });

  it("refuse buckets that do not rise", () => {
    expect(() => prometheusMetrics({ bucketsSeconds: [1, 1] })).toThrow(
      "bucketsSeconds must be numbers that rise",
    );
  });
});
