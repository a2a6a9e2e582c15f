import { create, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished } from "vitest";
import { ServerStreamRequestSchema } from "../../gen/agentwire/test/v1/echo_pb.js";
import { eventually, token } from "../../support/control-plane.js";
import { type Facts, type GoPeer, GoPeerError } from "../../support/go-peer.js";

export const rpcPath = "/api/v2/workspaceagents/me/rpc";

/** No command of a test takes longer, unless something is wrong. */
export const commandMs = 15_000;

export const agentRpc = (method: string) => `/coder.agent.v2.Agent/${method}`;
export const tailnetRpc = (method: string) => `/coder.tailnet.v2.Tailnet/${method}`;
export const echoRpc = (method: string) => `/agentwire.test.v1.EchoService/${method}`;

/** Dials a server of ours as a Go client. @returns the handle of the session. */
export function goDial(peer: GoPeer, server: { url: string }, facts: Facts = {}): Promise<number> {
  return peer.handle("dial", { url: server.url + rpcPath, token, version: "2.10", ...facts });
}

/** Makes a call as a Go client. @returns its answer as protobuf JSON. */
export async function goCall(peer: GoPeer, handle: number, rpc: string, json: unknown = {}): Promise<Facts> {
  const { json: answer } = await peer.do("call", { handle, rpc, json, timeoutMs: commandMs });
  return answer as Facts;
}

/** What the peer says of a command that fails as it should. */
export async function goFailure(command: Promise<unknown>): Promise<Facts> {
  try {
    await command;
  } catch (error) {
    if (error instanceof GoPeerError) return error.facts;
    throw error;
  }
  throw new Error("the command did not fail");
}

/** Text and code of a call that the server refuses, as a Go client sees them. Code 0 is undefined. */
export async function goRefusal(command: Promise<unknown>): Promise<{ text: unknown; code: unknown }> {
  const { error, code } = await goFailure(command);
  return { text: error, code };
}

export async function goStreams(peer: GoPeer, handle: number): Promise<number> {
  return Number((await peer.do("numStreams", { handle }))["streams"]);
}

/** Nothing is left behind: no streams on either side, a session that answers, and no complaints of the libraries. */
export async function expectQuiet(
  peer: GoPeer,
  handle: number,
  ours?: { readonly streamCount: number },
): Promise<void> {
  await eventually(async () => (await goStreams(peer, handle)) === 0, "no streams on the Go side");
  if (ours !== undefined) await eventually(() => ours.streamCount === 0, "no streams on our side");
  await peer.do("ping", { handle });
  expect(peer.complaints).toEqual([]);
}

/** The same at the end of the test, before what it has started is stopped. */
export function expectQuietAtEnd(...what: Parameters<typeof expectQuiet>): void {
  onTestFinished(() => expectQuiet(...what));
}

/** A request of the echo service in base64. */
export function payloadB64(payload: Uint8Array, count = 0): string {
  // all its messages have the same field for the payload
  return Buffer.from(
    toBinary(ServerStreamRequestSchema, create(ServerStreamRequestSchema, { payload, count })),
  ).toString("base64");
}
