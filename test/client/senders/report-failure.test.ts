import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { DialError, HttpError } from "../../../src/client/index-node.js";
import { failureKind } from "../../../src/client/senders/report-failure.js";
import { transportFailure } from "../../../src/rpc/errors.js";
import { RpcError } from "../../../src/rpc/index.js";
import { TransportError } from "../../../src/transport/index.js";
import { brokenStream, late, lost, refusal, tooLarge, unimplemented } from "./faulty-server.js";

const tooManyWaiting = new TransportError("session", "too-many-waiting", "no");

const http = (status?: number) =>
  new HttpError("POST /x", "no", Code.Unknown, status === undefined ? {} : { status });

it.each<[string, unknown, string]>([
  ["an answer with code 0", refusal("no"), "refused"],
  ["an answer with a code", new RpcError("no", Code.NotFound, { layer: "rpc", drpcCode: 5 }), "refused"],
  [
    "an answer that says canceled",
    new RpcError("no", Code.Canceled, { layer: "rpc", drpcCode: 1 }),
    "refused",
  ],
  ["an answer without the RPC", unimplemented(), "refused"],
  ["a message over the limit", tooLarge(), "unsendable"],
  [
    "a message that does not encode",
    new RpcError("no", Code.InvalidArgument, { layer: "rpc" }),
    "unsendable",
  ],
  ["a deadline", late(), "unanswered"],
  ["a stream that was reset", brokenStream(), "unanswered"],
  ["a Cancel of the server", new RpcError("canceled", Code.Canceled, { layer: "rpc" }), "unanswered"],
  ["an answer that does not decode", new RpcError("no", Code.Internal, { layer: "drpc" }), "unanswered"],
  ["the end of the session", new RpcError("end", Code.Unavailable, { layer: "session" }), "lost"],
  ["the end of the connection", lost(), "lost"],
  ["no stream to be had", new RpcError("no", Code.ResourceExhausted, { layer: "session" }), "lost"],
  ["no stream to be had at the moment", transportFailure(tooManyWaiting, "Agent.X"), "unanswered"],
  ["an error of nobody", new Error("?"), "lost"],
  ["HTTP 400", http(400), "refused"],
  ["HTTP 404", http(404), "refused"],
  ["HTTP 401, which is about the token", http(401), "unanswered"],
  ["HTTP 429", http(429), "unanswered"],
  ["HTTP 503", http(503), "unanswered"],
  ["no answer over HTTP", http(), "unanswered"],
  ["a failed dial", new DialError("http://x", "no", Code.Unavailable), "unanswered"],
  ["another transport's refusal", new ConnectError("no", Code.InvalidArgument), "refused"],
  ["another transport's end", new ConnectError("no", Code.Unavailable), "lost"],
  ["another transport's deadline", new ConnectError("no", Code.DeadlineExceeded), "unanswered"],
])("%s", (_name, error, kind) => {
  expect(failureKind(error)).toBe(kind);
});
