import type { ServiceImpl } from "@connectrpc/connect";
import type { Tailnet } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";

/** Some RPCs of the tailnet service. */
export type TailnetHandlers = Partial<ServiceImpl<typeof Tailnet>>;
