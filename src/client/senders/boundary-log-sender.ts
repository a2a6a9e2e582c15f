import type { ReportBoundaryLogsRequest } from "../../gen/coder/agent/v2/agent_pb.js";
import type { BoundaryStatus } from "../../gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import { isUnimplemented } from "../../rpc/index.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { type DropCounts, Drops } from "./drops.js";
import { failureKind } from "./report-failure.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** How a {@link BoundaryLogSender} behaves. */
export interface BoundaryLogSenderOptions {
  /** So many requests may wait to be sent; 100 by default. C6.10. */
  maxQueuedRequests?: number;
}

/** A counter of boundary logs, as stats and Prometheus know it. It only grows. C6.15–C6.17. */
export interface BoundaryLogMetric {
  name:
    | "agent_boundary_log_proxy_batches_dropped_total"
    | "agent_boundary_log_proxy_batches_forwarded_total"
    | "agent_boundary_log_proxy_logs_dropped_total";
  type: "counter";
  labels: Readonly<Record<string, string>>;
  value: number;
}

const batchDropReasons = ["buffer_full", "forward_failed"] as const;
const logDropReasons = [...batchDropReasons, "boundary_channel_full", "boundary_batch_full"] as const;

/**
 * Sends the boundary logs of an agent: each request as it came, in order, one at a time, never twice. Requests are
 * taken whether or not there is a connection; what does not fit is dropped, the newest first, and counted
 * (C6.10–C6.13). A request whose answer is an error is lost too: nobody knows what the server has made of it.
 */
export class BoundaryLogSender implements Sender {
  readonly name = "boundary-logs";
  readonly #runs = new SenderRuns(this.name);
  readonly #maxQueuedRequests: number;
  readonly #queue: ReportBoundaryLogsRequest[] = [];
  #isSending = false;
  #forwarded = 0;
  readonly #drops = new Drops();
  readonly #droppedLogs = new Drops();
  readonly #waitingForRequests = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();

  constructor(options: BoundaryLogSenderOptions = {}) {
    this.#maxQueuedRequests = options.maxQueuedRequests ?? 100;
  }

  /** Requests that are accepted and not answered. */
  get pending(): number {
    return this.#queue.length + (this.#isSending ? 1 : 0);
  }

  /** Requests that were given up: `buffer_full` when they came, `forward_failed` when they were sent. C6.15. */
  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Single logs that were given up: those of dropped requests, and what the programs themselves had to drop
   * (`boundary_channel_full`, `boundary_batch_full`). C6.16.
   */
  get droppedLogs(): DropCounts {
    return this.#droppedLogs.byReason;
  }

  /** Requests that the server has taken. C6.17. */
  get forwarded(): number {
    return this.#forwarded;
  }

  /**
   * Queues a request, which must not be changed from then on.
   * @returns false when the queue is full; the request is dropped and counted then.
   */
  push(request: ReportBoundaryLogsRequest): boolean {
    if (this.#queue.length >= this.#maxQueuedRequests) {
      this.#drop("buffer_full", request);
      return false;
    }
    this.#queue.push(request);
    this.#waitingForRequests.serve();
    return true;
  }

  /** Adds what a program says that it had to drop; only numbers above zero count. C6.16, C6.18. */
  countStatus({ droppedChannelFull, droppedBatchFull }: BoundaryStatus): void {
    this.#droppedLogs.count("boundary_channel_full", Number(droppedChannelFull));
    this.#droppedLogs.count("boundary_batch_full", Number(droppedBatchFull));
  }

  /** All counters, also those that are zero. C6.15–C6.17. */
  metrics(): BoundaryLogMetric[] {
    const batches = this.#drops.byReason;
    const logs = this.#droppedLogs.byReason;
    return [
      ...batchDropReasons.map((reason) =>
        counter("agent_boundary_log_proxy_batches_dropped_total", batches[reason], { reason }),
      ),
      ...logDropReasons.map((reason) =>
        counter("agent_boundary_log_proxy_logs_dropped_total", logs[reason], { reason }),
      ),
      counter("agent_boundary_log_proxy_batches_forwarded_total", this.#forwarded),
    ];
  }

  /**
   * Sends what is queued, and what comes, over a connection. Run it once for each connection, one at a time.
   * @returns when the server does not have ReportBoundaryLogs (before 2.7); the request stays for the next connection.
   * @throws the signal's reason when that ends; the error when the connection is lost. The request that was under way
   * is lost then, those that are queued stay. Error when a run is under way.
   */
  run(agent: Pick<AgentClient, "reportBoundaryLogs">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, async () => {
      for (;;) {
        signal.throwIfAborted();
        const request = this.#queue.shift();
        if (request === undefined) await this.#waitingForRequests.wait(signal);
        else await this.#send(request, agent, signal);
      }
    });
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.pending > 0) await this.#waitingForEmpty.wait(signal);
  }

  /** @throws the signal's reason, or why no further request can be sent on this connection. */
  async #send(
    request: ReportBoundaryLogsRequest,
    agent: Pick<AgentClient, "reportBoundaryLogs">,
    signal: AbortSignal,
  ): Promise<void> {
    this.#isSending = true;
    try {
      await agent.reportBoundaryLogs(request, { signal });
      this.#forwarded++;
    } catch (error) {
      if (isUnimplemented(error)) {
        // it was not taken, so it does not arrive twice
        this.#queue.unshift(request);
        throw error;
      }
      this.#drop("forward_failed", request);
      signal.throwIfAborted();
      if (failureKind(error) === "lost") throw error;
    } finally {
      this.#isSending = false;
      if (this.#queue.length === 0) this.#waitingForEmpty.serveAll();
    }
  }

  #drop(reason: (typeof batchDropReasons)[number], { logs }: ReportBoundaryLogsRequest): void {
    this.#drops.count(reason);
    this.#droppedLogs.count(reason, logs.length);
  }
}

function counter(
  name: BoundaryLogMetric["name"],
  value = 0,
  labels: BoundaryLogMetric["labels"] = {},
): BoundaryLogMetric {
  return { name, type: "counter", labels, value };
}
