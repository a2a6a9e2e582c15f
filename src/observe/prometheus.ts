/** Counters and histograms of RPCs in the text format of Prometheus, from the events of an observer. */
import type { DescService } from "@bufbuild/protobuf";
import type { ConnectionEvent, RpcEndEvent, WireListener } from "./events.js";
import { knownMethods, type MethodLookup } from "./known-methods.js";

/** How metrics are kept. */
export interface PrometheusOptions {
  /**
   * Services whose RPCs are counted by name, besides those of agents, agent sockets and the tailnet. All others are
   * counted as the service `other`, since peers choose names.
   */
  services?: readonly DescService[];
  /** Upper bounds of the durations' buckets in seconds, rising; from 1 ms to 60 s by default. */
  bucketsSeconds?: readonly number[];
  /** What the names begin with; `agentwire` by default. */
  prefix?: string;
}

/** Metrics of the connections that an observer sees. */
export interface PrometheusMetrics {
  /** Counts an event; give it to `observing`. */
  readonly listen: WireListener;
  /** All of them in Prometheus' text format 0.0.4: answer it with {@link prometheusContentType}. */
  text(): string;
}

/** The `Content-Type` of {@link PrometheusMetrics.text}. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

const defaultBucketsSeconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/**
 * Metrics for an observer, all zero. How many series there are is bounded by the methods and codes there are.
 *
 * `observing(metrics.listen, { decodeMessages: false })` costs least.
 * @throws TypeError when the buckets do not rise.
 */
export function prometheusMetrics(options: PrometheusOptions = {}): PrometheusMetrics {
  return new Metrics(options);
}

class Metrics implements PrometheusMetrics {
  readonly #methods: MethodLookup;
  readonly #opened: Family;
  readonly #open: Family;
  readonly #wireBytes: Family;
  readonly #started: Family;
  readonly #underWay: Family;
  readonly #messages: Family;
  readonly #messageBytes: Family;
  readonly #broken: Family;
  readonly #durations: Histogram;

  constructor({ services, bucketsSeconds = defaultBucketsSeconds, prefix = "agentwire" }: PrometheusOptions) {
    this.#methods = knownMethods(services);
    const family = (name: string, type: "counter" | "gauge", help: string) =>
      new Family(`${prefix}_${name}`, type, help);
    this.#opened = family("connections_total", "counter", "Connections that have begun.");
    this.#open = family("connections_open", "gauge", "Connections that are open.");
    this.#wireBytes = family("connection_bytes_total", "counter", "Bytes of WebSocket payload.");
    this.#started = family("rpc_started_total", "counter", "RPCs that have begun.");
    this.#underWay = family("rpc_open", "gauge", "RPCs that are under way.");
    this.#messages = family("rpc_messages_total", "counter", "Messages of RPCs.");
    this.#messageBytes = family("rpc_message_bytes_total", "counter", "Bytes of messages of RPCs.");
    this.#broken = family("broken_total", "counter", "Times that bytes were not what they should be.");
    this.#durations = new Histogram(
      `${prefix}_rpc_duration_seconds`,
      "How long RPCs took that have ended, by how they ended.",
      bucketsSeconds,
    );
  }

  readonly listen = (event: ConnectionEvent): void => {
    switch (event.type) {
      case "open":
        this.#opened.add({}, 1);
        this.#open.add({}, 1);
        break;
      case "end":
        this.#open.add({}, -1);
        break;
      case "websocket":
        this.#wireBytes.add({ direction: event.direction }, event.bytes);
        break;
      case "rpc-begin":
        this.#started.add(this.#named(event.rpc), 1);
        this.#underWay.add(this.#named(event.rpc), 1);
        break;
      case "rpc-message": {
        const labels = { ...this.#named(event.rpc), direction: event.direction };
        this.#messages.add(labels, 1);
        this.#messageBytes.add(labels, event.bytes);
        break;
      }
      case "rpc-end":
        this.#end(event);
        break;
      case "broken":
        this.#broken.add({ layer: event.layer }, 1);
        break;
      default:
    }
  };

  text(): string {
    return [
      this.#opened,
      this.#open,
      this.#wireBytes,
      this.#started,
      this.#underWay,
      this.#messages,
      this.#messageBytes,
      this.#durations,
      this.#broken,
    ]
      .map((family) => family.text())
      .join("");
  }

  #end(event: RpcEndEvent): void {
    this.#underWay.add(this.#named(event.rpc), -1);
    this.#durations.observe({ ...this.#named(event.rpc), code: event.code }, event.durationMs / 1000);
  }

  #named(rpc: string): Labels {
    const method = this.#methods(rpc);
    return method === undefined
      ? { rpc_service: "other", rpc_method: "other" }
      : { rpc_service: method.parent.typeName, rpc_method: method.name };
  }
}

type Labels = Readonly<Record<string, string>>;

/** Series of one name, each with its labels. */
class Family {
  readonly #name: string;
  readonly #head: string;
  readonly #series = new Map<string, number>();

  constructor(name: string, type: "counter" | "gauge", help: string) {
    this.#name = name;
    this.#head = headOf(name, type, help);
  }

  add(labels: Labels, amount: number): void {
    const key = labelText(labels);
    this.#series.set(key, (this.#series.get(key) ?? 0) + amount);
  }

  text(): string {
    const lines = [...this.#series].map(([labels, value]) => `${this.#name}${labels} ${value}\n`);
    return this.#head + lines.join("");
  }
}

/** How often values were in which bucket. */
interface Counted {
  labels: Labels;
  /** For each bucket, not added up; the last is for what is beyond them all. */
  counts: number[];
  sum: number;
}

class Histogram {
  readonly #name: string;
  readonly #head: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Counted>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    if (bounds.some((bound, at) => !Number.isFinite(bound) || bound <= (bounds[at - 1] ?? -Infinity))) {
      throw new TypeError("bucketsSeconds must be numbers that rise");
    }
    this.#name = name;
    this.#head = headOf(name, "histogram", help);
    this.#bounds = [...bounds];
  }

  observe(labels: Labels, value: number): void {
    const key = labelText(labels);
    let counted = this.#series.get(key);
    if (counted === undefined) {
      counted = { labels, counts: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0 };
      this.#series.set(key, counted);
    }
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const bucket = found < 0 ? this.#bounds.length : found;
    counted.counts[bucket] = (counted.counts[bucket] ?? 0) + 1;
    counted.sum += value;
  }

  text(): string {
    let text = this.#head;
    for (const { labels, counts, sum } of this.#series.values()) {
      let total = 0;
      for (const [at, count] of counts.entries()) {
        total += count;
        const le = String(this.#bounds[at] ?? "+Inf");
        text += `${this.#name}_bucket${labelText({ ...labels, le })} ${total}\n`;
      }
      text += `${this.#name}_sum${labelText(labels)} ${sum}\n`;
      text += `${this.#name}_count${labelText(labels)} ${total}\n`;
    }
    return text;
  }
}

function headOf(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
