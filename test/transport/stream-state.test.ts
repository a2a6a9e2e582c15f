import { describe, expect, it } from "vitest";
import {
  ignored,
  isEnded,
  mayReceive,
  maySend,
  nextState,
  StreamEvent,
  StreamState,
  transitions,
  violation,
} from "../../src/transport/yamux/stream-state.js";

type StateName = keyof typeof StreamState;
type EventName = keyof typeof StreamEvent;

const states = Object.keys(StreamState) as StateName[];
const events = Object.keys(StreamEvent) as EventName[];

/** W3.2 said again, from the rules and not from the table: two directions and a handshake. */
function byTheRules(state: StateName, event: EventName): number {
  const isOver = state === "Closed" || state === "Reset";
  const hasSent = state === "LocalClosed";
  const hasReceived = state === "RemoteClosed";
  if (isOver) return ignored;
  switch (event) {
    case "SendSyn":
      return state === "Idle" ? StreamState.SynSent : ignored;
    case "SendAck":
      return state === "SynReceived" ? StreamState.Open : ignored;
    case "ReceiveAck":
      return state === "SynSent" ? StreamState.Open : ignored;
    case "SendFin":
      return hasSent ? ignored : hasReceived ? StreamState.Closed : StreamState.LocalClosed;
    case "ReceiveFin":
      if (state === "Idle") return ignored;
      return hasReceived ? violation : hasSent ? StreamState.Closed : StreamState.RemoteClosed;
    case "SendRst":
      return StreamState.Reset;
    case "ReceiveRst":
      return state === "Idle" ? ignored : StreamState.Reset;
  }
}

describe("W3.2 stream states", () => {
  for (const state of states) {
    it.each(events)(`${state}: %s leads where the rules say`, (event) => {
      const outcome = nextState(StreamState[state], StreamEvent[event]);
      expect(outcome).toBe(transitions[state][event]);
      expect(outcome).toBe(byTheRules(state, event));
    });
  }

  it("has a row for every state and a column for every event", () => {
    expect(Object.keys(transitions)).toEqual(states);
    for (const row of Object.values(transitions)) expect(Object.keys(row)).toEqual(events);
  });

  it("lets data flow in each direction until that direction is ended", () => {
    expect(states.filter((s) => maySend(StreamState[s]))).toEqual([
      "Idle",
      "SynSent",
      "SynReceived",
      "Open",
      "RemoteClosed",
    ]);
    expect(states.filter((s) => mayReceive(StreamState[s]))).toEqual([
      "Idle",
      "SynSent",
      "SynReceived",
      "Open",
      "LocalClosed",
    ]);
    expect(states.filter((s) => isEnded(StreamState[s]))).toEqual(["Closed", "Reset"]);
  });
});
