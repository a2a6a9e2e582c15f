import { Code, ConnectError } from "@connectrpc/connect";
import type { CoordinateRequest } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../../rpc/error-text.js";
import type { Coordination } from "../coordinator.js";
import type { TailnetDeps } from "../tailnet.js";
import { tailnetSessionOf } from "../tailnet-session.js";
import type { TailnetHandlers } from "./handlers.js";

/** Peers and their nodes. S4.9–S4.24. */
export function coordinateHandlers({ coordinator, streams }: TailnetDeps): TailnetHandlers {
  return {
    /** Ends when the peer says goodbye or no more, when it is refused, cut off or replaced. Never fails. */
    async *coordinate(requests, context) {
      const { signal } = context;
      const { peer } = tailnetSessionOf(context);
      if (signal.aborted) return;
      const coordination = coordinator.coordinate(peer);
      const incoming = requests[Symbol.asyncIterator]();
      // nobody reads the answers of a call that is over: the peer is gone, whatever of it waits
      const leave = () => {
        coordination.end(causeText(signal.reason));
        void coordination.responses.return?.();
      };
      signal.addEventListener("abort", leave, { once: true });
      const forget = streams.add(() => coordination.end("coordinator closed"));
      try {
        void forward(incoming, coordination);
        yield* coordination.responses;
      } finally {
        signal.removeEventListener("abort", leave);
        forget();
        incoming.return?.().catch(() => {});
      }
    },
  };
}

async function forward(
  requests: AsyncIterator<CoordinateRequest>,
  coordination: Coordination,
): Promise<void> {
  try {
    for (let next = await requests.next(); !next.done; next = await requests.next()) {
      await coordination.send(next.value);
    }
    coordination.end();
  } catch (error) {
    coordination.end(causeText(error));
  }
}

/** What the reference server says of the end of a call. S4.18. */
function causeText(error: unknown): string {
  if (error instanceof ConnectError && error.code === Code.Canceled) return "context canceled";
  if (error instanceof ConnectError && error.code === Code.DeadlineExceeded)
    return "context deadline exceeded";
  return errorText(error);
}
