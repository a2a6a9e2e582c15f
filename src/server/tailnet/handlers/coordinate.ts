import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type CoordinateRequest, CoordinateRequestSchema } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../../rpc/error-text.js";
import { runHook } from "../../hooks.js";
import type { Coordination } from "../coordinator.js";
import type { TailnetDeps } from "../tailnet.js";
import { tailnetSessionOf } from "../tailnet-session.js";
import type { TailnetHandlers } from "./handlers.js";

/** Peers and their nodes. S4.9–S4.24. */
export function coordinateHandlers({ coordinator, streams, log }: TailnetDeps): TailnetHandlers {
  // a coordinator may be the implementer's: nobody waits for what its ends throw
  const end = (coordination: Coordination, cause?: string) =>
    void runHook(log, "ending a peer's coordination", () => coordination.end(cause));
  // so that its partners need it no more, where one that is lost may come back
  const sayGoodbye = (coordination: Coordination) =>
    void runHook(log, "saying goodbye for a peer", () =>
      coordination.send(create(CoordinateRequestSchema, { disconnect: {} })),
    );
  return {
    /** Ends when the peer says goodbye or no more, when it is refused, cut off or replaced. Never fails. */
    async *coordinate(requests, context) {
      const { signal } = context;
      const { peer, coordinations } = tailnetSessionOf(context);
      if (signal.aborted) return;
      const coordination = coordinator.coordinate(peer);
      const incoming = requests[Symbol.asyncIterator]();
      // nobody reads the answers of a call that is over: the peer is gone, whatever of it waits
      const leave = () => {
        end(coordination, causeText(signal.reason));
        void runHook(log, "leaving a peer's answers", async () => {
          await coordination.responses.return?.();
        });
      };
      signal.addEventListener("abort", leave, { once: true });
      const forget = streams.add(() => end(coordination, "coordinator closed"));
      const forgetGoodbye = coordinations?.add(() => sayGoodbye(coordination));
      try {
        void forward(incoming, coordination).then((cause) => end(coordination, cause));
        yield* coordination.responses;
      } finally {
        signal.removeEventListener("abort", leave);
        forget();
        forgetGoodbye?.();
        incoming.return?.().catch(() => {});
      }
    },
  };
}

/** Hands on what a peer says. @returns why it says no more, where that is no end in order. */
async function forward(
  requests: AsyncIterator<CoordinateRequest>,
  coordination: Coordination,
): Promise<string | undefined> {
  try {
    for (let next = await requests.next(); !next.done; next = await requests.next()) {
      await coordination.send(next.value);
    }
    return undefined;
  } catch (error) {
    return causeText(error);
  }
}

/** What the reference server says of the end of a call. S4.18. */
function causeText(error: unknown): string {
  if (error instanceof ConnectError && error.code === Code.Canceled) return "context canceled";
  if (error instanceof ConnectError && error.code === Code.DeadlineExceeded)
    return "context deadline exceeded";
  return errorText(error);
}
