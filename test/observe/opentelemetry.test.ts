import { Code, ConnectError } from "@connectrpc/connect";
import {
  context,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { dialAgent } from "../../src/client/index-node.js";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { Tailnet } from "../../src/gen/coder/tailnet/v2/index_pb.js";
import { clientTelemetry, serverTelemetry } from "../../src/observe/opentelemetry.js";
import { metadataKey } from "../../src/rpc/index.js";
import { attachRpc } from "../../src/server/index.js";
import { httpServer } from "../support/http-servers.js";

const spans = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
const meterProvider = new MeterProvider({ readers: [reader] });

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracerProvider);
  metrics.setGlobalMeterProvider(meterProvider);
});
afterAll(async () => {
  for (const api of [context, propagation, trace, metrics]) api.disable();
  await meterProvider.shutdown();
});
beforeEach(() => spans.reset());

/** A client and a server with telemetry; what handlers saw of their span, and of metadata. */
async function both() {
  const seen: { span: Span | undefined; traceparent: string | undefined }[] = [];
  const { server, url } = await httpServer();
  const endpoint = attachRpc(server, {
    authenticate: () => ({}),
    interceptors: [serverTelemetry()],
    routes: (router) => {
      router.service(Agent, {
        getManifest: (_request, { values }) => {
          seen.push({
            span: trace.getActiveSpan(),
            traceparent: values.get(metadataKey).get("traceparent"),
          });
          return { agentName: "main" };
        },
        updateAppStatus: () => {
          throw new ConnectError("no app web, token=very-secret", Code.NotFound);
        },
        getServiceBanner: () => {
          throw new Error("the disk is full");
        },
      });
      router.service(Tailnet, {
        streamDERPMaps: async function* () {
          for (let i = 0; i < 3; i++) {
            seen.push({ span: trace.getActiveSpan(), traceparent: undefined });
            yield {};
          }
        },
      });
    },
  });
  const connection = await dialAgent({ url, token: "t".repeat(16), interceptors: [clientTelemetry()] });
  onTestFinished(async () => {
    await connection.close();
    await endpoint.close();
  });
  return { connection, seen };
}

function finished(kind: SpanKind) {
  return spans.getFinishedSpans().filter((span) => span.kind === kind);
}

describe("telemetry of calls", () => {
  it("is a span on each side, the server's below the client's, the client's below its caller's", async () => {
    const { connection, seen } = await both();
    const outer = trace.getTracer("test").startSpan("outer");
    await context.with(trace.setSpan(context.active(), outer), () => connection.agent.getManifest({}));
    outer.end();
    const [client] = finished(SpanKind.CLIENT);
    const [server] = finished(SpanKind.SERVER);
    expect(client).toMatchObject({
      name: "coder.agent.v2.Agent/GetManifest",
      attributes: {
        "rpc.system": "drpc",
        "rpc.service": "coder.agent.v2.Agent",
        "rpc.method": "GetManifest",
      },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(server?.name).toBe(client?.name);
    expect(client?.parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
    expect(server?.parentSpanContext).toMatchObject({ spanId: client?.spanContext().spanId, isRemote: true });
    expect(seen[0]?.span?.spanContext().spanId).toBe(server?.spanContext().spanId);
    const { traceId, spanId } = client?.spanContext() ?? {};
    expect(seen[0]?.traceparent).toBe(`00-${traceId}-${spanId}-01`);
  });

  it("says errors: all of them at the client, the server's own faults at the server", async () => {
    const { connection } = await both();
    await expect(connection.agent.updateAppStatus({})).rejects.toThrow();
    await expect(connection.agent.getServiceBanner({})).rejects.toThrow();
    expect(
      finished(SpanKind.CLIENT).map(({ attributes, status }) => [attributes["error.type"], status]),
    ).toEqual([
      ["not_found", { code: SpanStatusCode.ERROR, message: "no app web, token=[hidden]" }],
      ["unknown", { code: SpanStatusCode.ERROR, message: "the disk is full" }],
    ]);
    expect(
      finished(SpanKind.SERVER).map(({ attributes, status }) => [attributes["error.type"], status.code]),
    ).toEqual([
      ["not_found", SpanStatusCode.UNSET],
      ["unknown", SpanStatusCode.ERROR],
    ]);
  });

  it("ends with a stream, whose handler runs in the span", async () => {
    const { connection, seen } = await both();
    let maps = 0;
    for await (const _map of connection.tailnet.streamDERPMaps({})) {
      maps++;
      expect(finished(SpanKind.CLIENT)).toEqual([]);
    }
    expect(maps).toBe(3);
    const [server] = finished(SpanKind.SERVER);
    expect(finished(SpanKind.CLIENT)).toHaveLength(1);
    expect(seen.map(({ span }) => span?.spanContext().spanId)).toEqual(
      Array.from({ length: 3 }, () => server?.spanContext().spanId),
    );
  });

  it("ends with a stream that its caller leaves", async () => {
    const { connection } = await both();
    for await (const _map of connection.tailnet.streamDERPMaps({})) break;
    expect(finished(SpanKind.CLIENT)).toHaveLength(1);
  });

  it("measures how long calls took, by method and outcome", async () => {
    const { connection } = await both();
    measured.reset();
    await connection.agent.getManifest({});
    await reader.forceFlush();
    const all = measured
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics));
    expect(all.map(({ descriptor }) => `${descriptor.name} ${descriptor.unit}`).sort()).toEqual([
      "rpc.client.duration ms",
      "rpc.server.duration ms",
    ]);
    for (const { dataPoints } of all) {
      expect(dataPoints).toContainEqual(
        expect.objectContaining({ attributes: expect.objectContaining({ "rpc.method": "GetManifest" }) }),
      );
    }
  });
});
