import { TransportError } from "../errors.js";

/* The errors of streams, and of sessions that take no more of them: in one place, so that they read alike. */

export function endedByThisSide(streamId: number): TransportError {
  return streamError("stream-ended", streamId, "this side has ended it");
}

export function resetByThisSide(streamId: number): TransportError {
  return streamError("stream-ended", streamId, "reset by this side");
}

export function resetByPeer(streamId: number): TransportError {
  return streamError("stream-reset", streamId, "reset by the peer");
}

export function refusedByPeer(streamId: number): TransportError {
  const text = "the peer refused it; it has too many streams, or is going away";
  return streamError("stream-refused", streamId, text);
}

export function notEndedInTime(streamId: number, afterMs: number): TransportError {
  const text = `reset, because the peer did not end it within ${afterMs} ms`;
  return streamError("stream-reset", streamId, text);
}

function streamError(
  code: "stream-ended" | "stream-reset" | "stream-refused",
  streamId: number,
  text: string,
): TransportError {
  return new TransportError("stream", code, `yamux stream ${streamId}: ${text}`, { streamId });
}

export function peerNotAccepting(): TransportError {
  return sessionError(
    "not-accepting",
    "yamux: the peer accepts no new streams; it is going away: dial again",
  );
}

export function closing(): TransportError {
  return sessionError("closed-locally", "the session is being closed by this side; it takes no new streams");
}

export function closedByThisSide(): TransportError {
  return sessionError("closed-locally", "the session was closed by this side");
}

function sessionError(code: "not-accepting" | "closed-locally", text: string): TransportError {
  return new TransportError("session", code, text);
}
