import { initialWindowBytes } from "../../codec/index.js";

/** How a yamux session behaves. All are optional; the Go library's names are in brackets. */
export interface YamuxOptions {
  /**
   * Receive window of a stream when it begins, in bytes; 256 KiB by default, which is also the least. A larger one
   * is announced to the peer with the first frame.
   */
  windowBytes?: number;
  /**
   * A stream whose reader keeps up, and whose peer waits for window, gets twice the window, up to this; 1 MiB by default,
   * or `windowBytes` where that is more. That is where half of it is read within one and a quarter round trips of 4 ms or
   * more, the shortest that pings had, or nearer by within a quarter of a millisecond. One stream moves at most one
   * window in a round trip, and a reader that stops holds at most one window. All streams of a session grow by at most
   * 16 times this. [MaxStreamWindowSize]
   */
  maxWindowBytes?: number;
  /** Streams of the peer that wait to be accepted; one more is reset. 256 by default. [AcceptBacklog] */
  acceptBacklog?: number;
  /** Opened streams that the peer has not acknowledged; one more waits. 256 by default: the Go library resets more. */
  maxUnacknowledgedStreams?: number;
  /** Open streams: one more of the peer's is reset, one more of our own waits. 4,096 by default. */
  maxStreams?: number;
  /** Callers that wait for a stream; one more is refused. 65,536 by default. */
  maxWaitingOpens?: number;
  /** A ping is sent so often when nothing else arrives; 0 turns it off. 30,000 by default. [KeepAliveInterval] */
  keepAliveIntervalMs?: number;
  /** A ping unanswered for so long ends the session. 10,000 by default. [ConnectionWriteTimeout] */
  pingTimeoutMs?: number;
  /** A stream unacknowledged for so long ends the session. 75,000 by default. [StreamOpenTimeout] */
  streamOpenTimeoutMs?: number;
  /** A stream that this side has ended and the peer has not is reset after so long. 300,000 by default. [StreamCloseTimeout] */
  streamCloseTimeoutMs?: number;
  /**
   * Most bytes joined into one write of the connection, headers included. 64 KiB by default, from 4 KiB to
   * 256 KiB: some servers refuse larger WebSocket messages (W2.2). Data of large messages leaves in 32 KiB at most.
   */
  maxMessageBytes?: number;
  /** Streams are held back while the connection has more than this to send. 256 KiB by default, at least 64 KiB. */
  sendBufferBytes?: number;
}

/** All options, with defaults filled in. */
export type ResolvedYamuxOptions = Readonly<Required<YamuxOptions>>;

const defaults: ResolvedYamuxOptions = {
  windowBytes: initialWindowBytes,
  maxWindowBytes: 1024 * 1024,
  acceptBacklog: 256,
  maxUnacknowledgedStreams: 256,
  maxStreams: 4096,
  maxWaitingOpens: 65_536,
  keepAliveIntervalMs: 30_000,
  pingTimeoutMs: 10_000,
  streamOpenTimeoutMs: 75_000,
  streamCloseTimeoutMs: 300_000,
  maxMessageBytes: 64 * 1024,
  sendBufferBytes: 256 * 1024,
};

const maxTimerMs = 2 ** 31 - 1;

/** Smallest and largest value of each option. */
const ranges: Readonly<Record<keyof YamuxOptions, readonly [number, number]>> = {
  windowBytes: [initialWindowBytes, 2 ** 31],
  maxWindowBytes: [initialWindowBytes, 2 ** 31],
  acceptBacklog: [1, 65_536],
  maxUnacknowledgedStreams: [1, 65_536],
  maxStreams: [1, 2 ** 20],
  maxWaitingOpens: [0, 2 ** 20],
  keepAliveIntervalMs: [0, maxTimerMs],
  pingTimeoutMs: [1, maxTimerMs],
  streamOpenTimeoutMs: [1, maxTimerMs],
  streamCloseTimeoutMs: [1, maxTimerMs],
  maxMessageBytes: [4 * 1024, 256 * 1024],
  sendBufferBytes: [64 * 1024, 2 ** 30],
};

/**
 * Fills in the defaults. Whoever changes none shares them with all others.
 * @throws RangeError for a value out of its range.
 */
export function resolveYamuxOptions(options: YamuxOptions = {}): ResolvedYamuxOptions {
  let resolved: Required<YamuxOptions> | undefined;
  for (const name of Object.keys(defaults) as (keyof YamuxOptions)[]) {
    const value = options[name];
    if (value === undefined || value === defaults[name]) continue;
    const [least, most] = ranges[name];
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(`yamux: ${name} is ${value}; it must be a whole number from ${least} to ${most}`);
    }
    resolved ??= { ...defaults };
    resolved[name] = value;
  }
  return resolved ?? defaults;
}
