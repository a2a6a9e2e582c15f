import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import type { HttpProxy } from "../../client/http/proxy-node.js";
import { errorText } from "../../rpc/error-text.js";
import { Problem, type Seen } from "./report.js";

/** Where something listens. */
export interface Address {
  host: string;
  port: number;
}

/** The host and port of a URL of HTTP. */
export function addressOf({ hostname, port, protocol }: URL): Address {
  const host = hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(port) || (protocol === "https:" ? 443 : 80) };
}

/** As it is written in URLs. */
export function addressText({ host, port }: Address): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Finds the addresses of a host. @throws Problem */
export async function resolveHost(host: string): Promise<Seen<void>> {
  if (isIP(host) !== 0) return { value: undefined, saw: `${host} is an address, and needs no name server` };
  try {
    const found = [...new Set((await lookup(host, { all: true })).map(({ address }) => address))];
    return { value: undefined, saw: `${host} is ${found.join(", ")}`, facts: { addresses: found } };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOTFOUND" || code === "ENODATA") {
      throw new Problem(
        `no name server knows the name ${host}`,
        "check the spelling of the URL; if the name is of a private network, join that (VPN) first",
        { code },
      );
    }
    if (code === "EAI_AGAIN") {
      throw new Problem(
        `the name server of this machine does not answer, so that ${host} has no address`,
        "check the network connection, and the name servers that this machine uses",
        { code },
      );
    }
    throw error;
  }
}

/** Opens a connection, and closes it. @throws Problem */
export async function reach(
  address: Address,
  what: string,
  target: Address,
  proxy: HttpProxy | undefined,
  signal: AbortSignal,
): Promise<Seen<void>> {
  const socket = await openSocket(address, signal);
  socket.destroy();
  if (proxy === undefined) return { value: undefined, saw: `${what} takes connections` };
  (await tunnel(target, proxy, signal)).destroy();
  const saw = `the proxy ${proxy.shown} lets connections to ${addressText(target)} through`;
  return { value: undefined, saw, facts: { proxy: proxy.shown } };
}

/** A connection to a server, through the proxy if there is one. @throws Problem */
export function openRoute(
  target: Address,
  proxy: HttpProxy | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  return proxy === undefined ? openSocket(target, signal) : tunnel(target, proxy, signal);
}

async function openSocket(address: Address, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: address.host, port: address.port });
  try {
    await once(socket, "connect", { signal });
  } catch (error) {
    socket.destroy();
    throw connectProblem(error, addressText(address));
  }
  // what goes wrong later is seen by whoever reads
  socket.on("error", () => {});
  return socket;
}

async function tunnel(target: Address, proxy: HttpProxy, signal: AbortSignal): Promise<Socket> {
  const { url } = proxy;
  const request = url.protocol === "https:" ? httpsRequest : httpRequest;
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const sent = request({
    ...addressOf(url),
    method: "CONNECT",
    path: addressText(target),
    signal,
    headers: {
      Host: addressText(target),
      ...(url.username === "" ? {} : { "Proxy-Authorization": `Basic ${btoa(credentials)}` }),
    },
  });
  sent.end();
  try {
    const [response, socket] = (await Promise.race([
      once(sent, "connect", { signal }),
      once(sent, "response", { signal }),
    ])) as [IncomingMessage, Socket?];
    if (response.statusCode === 200 && socket !== undefined) {
      socket.on("error", () => {});
      return socket;
    }
    sent.destroy();
    throw tunnelProblem(response.statusCode ?? 0, target, proxy);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw connectProblem(error, proxy.shown);
  }
}

function tunnelProblem(status: number, target: Address, { shown }: HttpProxy): Problem {
  const advice =
    status === 407
      ? "the proxy wants a user name and a password: http://USER:PASSWORD@host:port in HTTPS_PROXY"
      : "ask whoever runs the proxy to let CONNECT to this host through, or except the host: NO_PROXY=host";
  return new Problem(
    `the proxy ${shown} refused a connection to ${addressText(target)} with ${status}`,
    advice,
    {
      status,
      proxy: shown,
    },
  );
}

function connectProblem(error: unknown, shown: string): Problem {
  const code = codeOf(error);
  const facts = { code: code ?? "" };
  switch (code) {
    case "ECONNREFUSED":
      return new Problem(
        `nothing listens on ${shown}`,
        "is the control plane running, and is this its port? a firewall may refuse connections too",
        facts,
      );
    case "ETIMEDOUT":
      return new Problem(
        `${shown} does not answer`,
        "a firewall may drop the packets: try from another network, or ask for the port to be opened",
        facts,
      );
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return new Problem(
        `there is no way to ${shown} from this network`,
        "check the network connection, and the VPN if the server needs one",
        facts,
      );
    case "ECONNRESET":
      return new Problem(
        `${shown} cut the connection at once`,
        "something on the way does not want it: a firewall, or a proxy for another protocol",
        facts,
      );
    default:
      return new Problem(`no connection to ${shown}: ${errorText(error)}`, "check host and port", facts);
  }
}

/** The code of an error of Node, or of its cause. */
export function codeOf(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    const { code } = one as { code?: unknown };
    if (typeof code === "string") return code;
  }
  return undefined;
}
