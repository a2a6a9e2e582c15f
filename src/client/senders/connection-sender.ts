import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Connection,
  Connection_Action as ConnectionAction,
  ConnectionSchema,
  Connection_Type as ConnectionType,
} from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { isUnimplemented } from "../../rpc/index.js";
import { type DropCounts, Drops } from "./drops.js";
import { boundOption, msOption } from "./intervals.js";
import { failureKind, unlessConnectionEnds } from "./report-failure.js";
import { enumField, int32Field, textField, timeField } from "./report-fields.js";
import { ReportQueue } from "./report-queue.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** The start of a session that somebody has with the workspace. */
export interface ConnectionStart {
  type: ConnectionType;
  /** The host part of where they come from. Empty by default; `localhost` becomes `127.0.0.1`. C4.64. */
  ip?: string;
  /** Now by default. */
  at?: Date;
}

/** The end of such a session. */
export interface ConnectionEnd {
  /** The exit code; 0 by default. */
  statusCode?: number;
  /** Empty by default. C4.66. */
  reason?: string;
  /** Now by default. */
  at?: Date;
}

/** A session whose start was reported. */
export interface OpenConnection {
  /** The random UUID that both of its reports carry. C4.63. */
  readonly id: Uint8Array;
  /**
   * Reports its end, once.
   * @returns false when that is dropped, or was reported before.
   * @throws TypeError when the code has no 32 bits or the time is none; RangeError when the reason has over 64 KiB.
   */
  disconnected(end?: ConnectionEnd): boolean;
}

/** How a {@link ConnectionSender} behaves. */
export interface ConnectionSenderOptions {
  /** So many reports may wait; 2,048 by default. C4.65. */
  maxReports?: number;
  /** How long a report may take, in milliseconds; 30 s by default. */
  reportTimeoutMs?: number;
  /** Told of reports that fail on a connection that lives on. */
  onWarning?(text: string): void;
}

interface Session {
  id: Uint8Array;
  type: ConnectionType;
  ip: string;
  /** False once it is certain that the server will not hear of its start. */
  isTold: boolean;
  hasEnded: boolean;
}

interface Report {
  session: Session;
  connection: Connection;
}

const maxTextBytes = 65_536;

/**
 * Reports who comes and goes: in order, one call at a time, each report once. One whose call fails is dropped and
 * counted as `report_failed`, also where only the answer was lost; those behind it stay for the next connection
 * (C4.65). Dropped are, too, new reports while the queue is full (`queue_full`) or the server does not have the RPC
 * (`unsupported`, with all that wait), and the end of a session whose start was dropped for one of these two
 * (`connect_dropped`): nobody could make anything of it.
 */
export class ConnectionSender implements Sender {
  readonly name = "connections";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #queue: ReportQueue<Report>;
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;

  /** @throws RangeError when an option is out of range. */
  constructor(options: ConnectionSenderOptions = {}) {
    const maxReports = boundOption("maxReports", options.maxReports, 2048);
    this.#queue = new ReportQueue(maxReports, { isRepeated: false });
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(text);
  }

  get pending(): number {
    return this.#queue.length;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Reports that a session has begun.
   * @throws TypeError when there is no such type or the time is none; RangeError when the address has over 64 KiB.
   */
  connected({ type, ip = "", at = new Date() }: ConnectionStart): OpenConnection {
    const session: Session = {
      id: crypto.getRandomValues(new Uint8Array(16)),
      type: enumField("the type of a connection", ConnectionType, type),
      ip: textField("the address of a connection", ip === "localhost" ? "127.0.0.1" : ip, maxTextBytes),
      isTold: true,
      hasEnded: false,
    };
    timeField("the start of a connection", at);
    session.isTold = this.#push(session, ConnectionAction.CONNECT, at, {});
    return { id: session.id.slice(), disconnected: (end = {}) => this.#disconnected(session, end) };
  }

  /**
   * Reports over a connection what waits, and what comes.
   * @returns when the server does not have the RPC.
   * @throws the signal's reason; why the connection was lost; Error when a run is under way. No refusal of the server
   * ends it (C4.16).
   */
  run(agent: Pick<AgentClient, "reportConnection">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(
      signal,
      () => this.#queue.run((report) => this.#send(agent, report, signal), signal),
      () => this.#giveUp(this.#queue.giveUp()),
    );
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void> {
    return this.#queue.whenEmpty(signal);
  }

  #disconnected(session: Session, { statusCode = 0, reason = "", at = new Date() }: ConnectionEnd): boolean {
    int32Field("the status code of a connection", statusCode);
    textField("the reason of a connection's end", reason, maxTextBytes);
    timeField("the end of a connection", at);
    if (session.hasEnded) return false;
    session.hasEnded = true;
    if (!session.isTold) {
      this.#drops.count("connect_dropped");
      return false;
    }
    return this.#push(session, ConnectionAction.DISCONNECT, at, { statusCode, reason });
  }

  #push(
    session: Session,
    action: ConnectionAction,
    at: Date,
    end: { statusCode?: number; reason?: string },
  ): boolean {
    const { id, type, ip } = session;
    const connection = create(ConnectionSchema, {
      id,
      action,
      type,
      ip,
      timestamp: timestampFromDate(at),
      ...end,
    });
    const isTaken = this.#queue.push({ session, connection });
    if (!isTaken) this.#drops.count(this.#queue.isGivenUp ? "unsupported" : "queue_full");
    return isTaken;
  }

  async #send(
    agent: Pick<AgentClient, "reportConnection">,
    report: Report,
    signal: AbortSignal,
  ): Promise<void> {
    const { connection } = report;
    try {
      await agent.reportConnection({ connection }, { signal, timeoutMs: this.#reportTimeoutMs });
    } catch (error) {
      if (isUnimplemented(error) && !signal.aborted) {
        this.#giveUp([report]);
        throw error;
      }
      this.#drops.count("report_failed");
      const kind = failureKind(error);
      if (signal.aborted || kind === "lost") throw error;
      if (kind === "unanswered") await unlessConnectionEnds(signal);
      this.#onWarning(`connections: a report was dropped: ${errorText(error)}`);
    }
  }

  #giveUp(reports: readonly Report[]): void {
    this.#drops.count("unsupported", reports.length);
    for (const { session, connection } of reports) {
      if (connection.action === ConnectionAction.CONNECT) session.isTold = false;
    }
  }
}
