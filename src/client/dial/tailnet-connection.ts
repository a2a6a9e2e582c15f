import type { Client } from "@connectrpc/connect";
import { tailnetCallerCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { DrpcTransportOptions } from "../../rpc/index.js";
import type { YamuxSession } from "../../transport/index.js";
import type { ApiVersion, ApiVersionText, TailnetMethodsOf } from "../../version/index.js";
import { Capabilities } from "../compat/capabilities.js";
import { BareConnection, type Connection, type NewestVersionText } from "./connection.js";

/** A connection to a control plane with a client of the tailnet service. */
export interface TailnetConnection<V extends ApiVersionText = NewestVersionText> extends Connection {
  /**
   * `coder.tailnet.v2.Tailnet`, with the methods of the version. Leaving a `for await` over answers cancels the call.
   */
  readonly tailnet: Pick<Client<typeof Tailnet>, TailnetMethodsOf<V>>;
}

/** Puts a connection for the tailnet service alone on a session. */
export function createTailnetConnection<V extends ApiVersionText>(
  session: YamuxSession,
  version: ApiVersion,
  options: DrpcTransportOptions,
): TailnetConnection<V> {
  const capabilities = new Capabilities({ version, choice: false, agent: noAgent, http: undefined });
  const connection = new TailnetAlone(
    session,
    version,
    { codecs: tailnetCallerCodecs, ...options },
    capabilities,
  );
  return connection as TailnetConnection<ApiVersionText> as TailnetConnection<V>;
}

class TailnetAlone extends BareConnection implements TailnetConnection {
  #tailnet: Client<typeof Tailnet> | undefined;

  get tailnet(): Client<typeof Tailnet> {
    this.#tailnet ??= this.clientOf(Tailnet);
    return this.#tailnet;
  }
}

/** Without older ways nobody asks for it. */
function noAgent(): never {
  throw new Error("this connection has no calls of agents");
}
