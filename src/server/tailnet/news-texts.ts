import { CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { LineEnd } from "./peer-line.js";

/** What partners are told of one that is gone. S4.17, S4.18, S4.21, S4.23. */
export const goodbyes: Readonly<Record<LineEnd, { kind: PeerUpdateKind; reason: string }>> = {
  disconnect: { kind: PeerUpdateKind.DISCONNECTED, reason: "graceful disconnect" },
  lost: { kind: PeerUpdateKind.LOST, reason: "lost" },
  slow: { kind: PeerUpdateKind.DISCONNECTED, reason: "failed update" },
  closed: { kind: PeerUpdateKind.LOST, reason: "coordinator close" },
};

/** What both ends of a removed tunnel are told. S4.16. */
export const removedTunnel = { kind: PeerUpdateKind.DISCONNECTED, reason: "remove tunnel" };

/** What the other end of a tunnel is told by a peer that is ready. S4.19. */
export const readyForHandshake = {
  kind: PeerUpdateKind.READY_FOR_HANDSHAKE,
  reason: "ready for handshake",
};

/** Why the stream of a peer ends that opens more tunnels than it may. */
export function tooManyTunnels(max: number): string {
  return `a peer may open ${max} tunnels: remove one before the next`;
}

/** What a peer is told that is ready for one it has no tunnel with; its stream goes on. S4.19. */
export function noSharedTunnel(peerId: string): string {
  return `ready for handshake error: you do not share a tunnel with "${peerId}"`;
}

/** What a peer is told that does not take its answers, by what it could not be told. S4.21. */
export const tellFailures = {
  update: "failed to update tunnel peer mapping",
  addToSource: "failed to update tunnel dest mapping",
  addToDestination: "failed to update tunnel src mapping",
  removeFromSource: "failed to remove tunnel dest mapping",
  removeFromDestination: "failed to remove tunnel src mapping",
} as const;
