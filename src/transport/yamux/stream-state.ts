/**
 * The life of a yamux stream as a table: state and event to next state. W3.2.
 *
 * Half-closing and the handshake are one dimension, as on the wire: an ACK matters only while the stream is
 * fresh, and a FIN ends a direction whether or not the ACK has been seen.
 */
export const StreamState = {
  /** Opened here; nothing has been sent. */
  Idle: 0,
  /** Opened here; the peer has not acknowledged it. */
  SynSent: 1,
  /** Opened by the peer; this side has not acknowledged it. */
  SynReceived: 2,
  /** Both directions are open. */
  Open: 3,
  /** This side will send no more. */
  LocalClosed: 4,
  /** The peer will send no more. */
  RemoteClosed: 5,
  /** Both sides have ended it; the id is forgotten. */
  Closed: 6,
  /** One side has killed it; the id is forgotten. */
  Reset: 7,
} as const;
export type StreamState = (typeof StreamState)[keyof typeof StreamState];

export const StreamEvent = {
  SendSyn: 0,
  SendAck: 1,
  ReceiveAck: 2,
  SendFin: 3,
  ReceiveFin: 4,
  SendRst: 5,
  ReceiveRst: 6,
} as const;
export type StreamEvent = (typeof StreamEvent)[keyof typeof StreamEvent];

/** The event changes nothing: it is a harmless repetition or comes too late. */
export const ignored = -1;
/** The event ends the session: the peer broke the protocol. */
export const violation = -2;

type Outcome = StreamState | typeof ignored | typeof violation;
type StateName = keyof typeof StreamState;
type EventName = keyof typeof StreamEvent;

const S = StreamState;

/** The table. Every state has a row, every event a column. */
export const transitions: Readonly<Record<StateName, Readonly<Record<EventName, Outcome>>>> = {
  Idle: {
    SendSyn: S.SynSent,
    SendAck: ignored,
    ReceiveAck: ignored,
    // SYN and FIN in one frame: a stream may be opened only to be read
    SendFin: S.LocalClosed,
    ReceiveFin: ignored,
    // the peer has not heard of it: nothing is sent
    SendRst: S.Reset,
    ReceiveRst: ignored,
  },
  SynSent: {
    SendSyn: ignored,
    SendAck: ignored,
    ReceiveAck: S.Open,
    SendFin: S.LocalClosed,
    ReceiveFin: S.RemoteClosed,
    SendRst: S.Reset,
    ReceiveRst: S.Reset,
  },
  SynReceived: {
    SendSyn: ignored,
    SendAck: S.Open,
    ReceiveAck: ignored,
    SendFin: S.LocalClosed,
    ReceiveFin: S.RemoteClosed,
    SendRst: S.Reset,
    ReceiveRst: S.Reset,
  },
  Open: {
    SendSyn: ignored,
    SendAck: ignored,
    ReceiveAck: ignored,
    SendFin: S.LocalClosed,
    ReceiveFin: S.RemoteClosed,
    SendRst: S.Reset,
    ReceiveRst: S.Reset,
  },
  LocalClosed: {
    SendSyn: ignored,
    SendAck: ignored,
    ReceiveAck: ignored,
    // a second FIN would be a violation at the peer
    SendFin: ignored,
    ReceiveFin: S.Closed,
    SendRst: S.Reset,
    ReceiveRst: S.Reset,
  },
  RemoteClosed: {
    SendSyn: ignored,
    SendAck: ignored,
    ReceiveAck: ignored,
    SendFin: S.Closed,
    ReceiveFin: violation,
    SendRst: S.Reset,
    ReceiveRst: S.Reset,
  },
  // The session forgets the id of an ended stream: what still comes for it is "unknown stream", and drained.
  Closed: {
    SendSyn: ignored,
    SendAck: ignored,
    ReceiveAck: ignored,
    SendFin: ignored,
    ReceiveFin: ignored,
    SendRst: ignored,
    ReceiveRst: ignored,
  },
  Reset: {
    SendSyn: ignored,
    SendAck: ignored,
    ReceiveAck: ignored,
    SendFin: ignored,
    ReceiveFin: ignored,
    SendRst: ignored,
    ReceiveRst: ignored,
  },
};

const eventCount = Object.keys(StreamEvent).length;
const flat = new Int8Array(Object.keys(StreamState).length * eventCount);
for (const [stateName, row] of Object.entries(transitions)) {
  for (const [eventName, outcome] of Object.entries(row)) {
    flat[S[stateName as StateName] * eventCount + StreamEvent[eventName as EventName]] = outcome;
  }
}

/** What an event makes of a state: a state, {@link ignored} or {@link violation}. */
export function nextState(state: StreamState, event: StreamEvent): Outcome {
  return flat[state * eventCount + event] as Outcome;
}

/** True where this side may send data. */
export function maySend(state: StreamState): boolean {
  return state <= S.Open || state === S.RemoteClosed;
}

/** True where data of the peer is for the application; otherwise it is drained. */
export function mayReceive(state: StreamState): boolean {
  return state <= S.LocalClosed;
}

/** True where the stream is over. */
export function isEnded(state: StreamState): boolean {
  return state >= S.Closed;
}
