import { apiUrl, rpcUrl, serverUrl, shownUrl } from "../../client/http/api-url.js";
import { type HttpProxy, proxyFor } from "../../client/http/proxy-node.js";
import type { Manifest } from "../../client/index-node.js";
import { nodeFetch } from "../../client/index-node.js";
import { freshToken } from "../../client/tokens/token-source.js";
import { errorText } from "../../rpc/error-text.js";
import type { YamuxSession } from "../../transport/index.js";
import { type ApiVersion, formatVersion, newestVersion, parseVersion } from "../../version/index.js";
import {
  type Command,
  jsonOption,
  type OptionValues,
  pairs,
  positiveInteger,
  refuseArguments,
  type Terminal,
  text,
  UsageError,
} from "../command.js";
import { connectionOptions, targetOf, versionOf } from "../connection-options.js";
import { ask, judgeApi, judgeClock, judgeVersion } from "../doctor/http.js";
import { type Address, addressOf, addressText, openRoute, reach, resolveHost } from "../doctor/network.js";
import { Problem, Report, type Seen, Stopped } from "../doctor/report.js";
import { callThrough, measureSpeed, openSession, timePings, watchIdle } from "../doctor/session.js";
import { examineTls } from "../doctor/tls.js";
import { judgeToken } from "../doctor/token.js";
import { exitCodes } from "../exit-codes.js";

const defaultStepSeconds = 10;
const speedMs = 2000;
/** What a step may take beyond its own time. */
const longestMs = 15_000;
const maxMessageBytes = 16 * 1024 * 1024;
const tokenHeader = "Coder-Session-Token";
/** Goes the way of commands: through the proxies of the environment. */
const fetch = nodeFetch();

export const doctor: Command = {
  name: "doctor",
  summary: "Looks step by step at the way to a control plane, and says what is wrong",
  usage: "[--url URL] [--token TOKEN] [options]",
  options: {
    ...connectionOptions,
    json: jsonOption,
    timeout: {
      type: "string",
      value: "SECONDS",
      help: `how long a step may take; ${defaultStepSeconds} by default`,
    },
    "no-speed": { type: "boolean", help: "time no calls" },
    watch: {
      type: "string",
      value: "SECONDS",
      help: "keep the connection without traffic for so long, to see whether it is cut",
    },
  },
  examples: [
    "agentwire doctor",
    "agentwire doctor --url https://coder.example.com --token TOKEN",
    "agentwire doctor --watch 120",
    "agentwire doctor --json | jq '.steps[] | select(.status == \"fail\")'",
  ],
  async run(values, positionals, terminal) {
    refuseArguments("doctor", positionals);
    const given = text(values, "url") || terminal.env["CODER_AGENT_URL"];
    if (!given) throw new UsageError("give --url, or set CODER_AGENT_URL");
    const stepTimeoutMs = 1000 * (positiveInteger(values, "timeout") ?? defaultStepSeconds);
    const report = new Report(terminal, { isJson: values["json"] === true, stepTimeoutMs });
    const examination = new Examination(report, values, terminal);
    try {
      await examination.run(given);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    }
    return report.finish(examination.shownUrl) ? exitCodes.done : exitCodes.failed;
  },
};

/** The way to one control plane. */
class Examination {
  readonly #report: Report;
  readonly #values: OptionValues;
  readonly #terminal: Terminal;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #watchSeconds: number | undefined;
  readonly #version: ApiVersion;
  readonly #isVersionGiven: boolean;
  /** Once the URL is known to be one. */
  shownUrl = "";

  /** @throws UsageError for options that cannot be. */
  constructor(report: Report, values: OptionValues, terminal: Terminal) {
    this.#report = report;
    this.#values = values;
    this.#terminal = terminal;
    this.#headers = pairs(values, "header");
    this.#watchSeconds = positiveInteger(values, "watch");
    const version = versionOf(values);
    this.#isVersionGiven = version !== "negotiate";
    this.#version = version === "negotiate" ? newestVersion : parseVersion(version);
    report.hide(...Object.values(this.#headers));
  }

  /** @throws Stopped at the first step after which nothing can be done. */
  async run(given: string): Promise<void> {
    const url = await this.#report.step("url", "", () => this.#readUrl(given));
    await this.#reachServer(url);
    const { token, version } = await this.#askOverHttp(url);
    await this.#useConnection(rpcUrl(url, formatVersion(version), this.#role), token);
  }

  get #role(): string {
    return text(this.#values, "role") ?? "agentwire-doctor";
  }

  #readUrl(given: string): Seen<URL> {
    const url = URL.canParse(given) ? new URL(given) : undefined;
    if (url !== undefined) {
      this.#report.hide(url.password, decoded(url.password), ...url.searchParams.values());
    }
    if (url === undefined || !/^(https?|wss?):$/.test(url.protocol) || url.host === "") {
      throw new Problem(
        "the URL is none of HTTP",
        "it must begin with http:// or https://, such as https://coder.example.com",
      );
    }
    const base = serverUrl(url, "");
    this.shownUrl = shownUrl(base).replace(/\/$/, "");
    if (/\/api\/v2(\/|$)/.test(url.pathname)) {
      throw new Problem(
        `the URL has a path of the API in it: ${url.pathname}`,
        "give it without: the tool puts /api/v2/… behind it by itself",
      );
    }
    const isOpen = base.protocol === "http:" && !isLoopback(base.hostname);
    return {
      value: base,
      saw: this.shownUrl,
      ...(isOpen
        ? { advice: "without TLS the token can be read on the way: use https:// where there is one" }
        : {}),
    };
  }

  async #reachServer(url: URL): Promise<void> {
    const report = this.#report;
    const target = addressOf(url);
    const proxy = await this.#proxyTo(url);
    // with a proxy, it is the proxy that finds the server
    const first: Address = proxy === undefined ? target : addressOf(proxy.url);
    await report.step("dns", "the name server of this machine does not answer: check the network", () =>
      resolveHost(first.host),
    );
    const tcpLate =
      "a firewall may drop the packets: try from another network, or ask for the port to be opened";
    await report.step("tcp", tcpLate, (signal) => reach(first, addressText(first), target, proxy, signal));
    if (url.protocol === "http:") {
      report.skip("tls", "the URL is without TLS");
      return;
    }
    const isLax = this.#terminal.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0";
    const tlsLate =
      "the port takes connections and does not speak TLS: check the port, or begin the URL with http://";
    await report.step("tls", tlsLate, async (signal) =>
      examineTls(await openRoute(target, proxy, signal), target.host, isLax, signal),
    );
  }

  async #proxyTo(url: URL): Promise<HttpProxy | undefined> {
    try {
      const proxy = await proxyFor(url, undefined);
      if (proxy !== undefined) this.#report.hide(proxy.url.password, decoded(proxy.url.password));
      return proxy;
    } catch (error) {
      throw new UsageError(errorText(error));
    }
  }

  async #askOverHttp(url: URL): Promise<{ token: string; version: ApiVersion }> {
    const report = this.#report;
    const plain = apiUrl(url, "me/rpc");
    const late = "it takes connections and does not answer: look at its logs, and at proxies before it";
    const answer = await report.step("http", late, async (signal) => {
      const asked = await ask(fetch, plain, this.#headers, signal);
      return { ...judgeApi(asked), value: asked };
    });
    await report.aside("clock", () => judgeClock(answer));
    const asked = await report.step("token", late, async (signal) => {
      const token = await this.#token(signal);
      const headers = { ...this.#headers, [tokenHeader]: token };
      const query = `?role=${encodeURIComponent(this.#role)}&version=${formatVersion(this.#version)}`;
      const agents = await ask(fetch, new URL(query, plain), headers, signal);
      const users = () => ask(fetch, serverUrl(url, "/api/v2/tailnet"), headers, signal);
      return { ...(await judgeToken({ token, agents, users })), value: { token, agents } };
    });
    const version = await report.step("version", late, () =>
      judgeVersion(asked.agents, this.#version, this.#isVersionGiven),
    );
    return { token: asked.token, version };
  }

  /** The token as a dial would have it. @throws Problem when there is none. */
  async #token(signal: AbortSignal): Promise<string> {
    try {
      const { token } = await targetOf(this.#values, this.#terminal);
      const fresh = await freshToken(token, signal);
      this.#report.hide(fresh, fresh.trim());
      return fresh;
    } catch (error) {
      signal.throwIfAborted();
      throw new Problem(
        `there is no token: ${errorText(error)}`,
        "all up to here is well; what comes after it needs the token of an agent",
      );
    }
  }

  async #useConnection(url: URL, token: string): Promise<void> {
    const report = this.#report;
    const late =
      "the WebSocket is held back: a proxy on the way must let WebSockets through at once, without buffering";
    const session = await report.step("websocket", late, (signal) =>
      openSession(
        { url, token, secrets: [token], headers: this.#headers, maxMessageBytes, signal },
        this.#watchSeconds !== undefined,
      ),
    );
    try {
      await report.step("ping", late, () => timePings(session));
      const callLate = "the connection is good, and the server does not answer the call: look at its logs";
      const manifest = await report.step("call", callLate, (signal) => callThrough(session, signal));
      await this.#measure(session, manifest);
      await this.#watch(session);
    } finally {
      await session.close();
    }
  }

  async #measure(session: YamuxSession, manifest: Manifest | undefined): Promise<void> {
    const report = this.#report;
    if (this.#values["no-speed"] === true) return report.skip("speed", "not wanted");
    if (manifest === undefined) return report.skip("speed", "there is no call to time");
    await report.step(
      "speed",
      "calls take far longer than the first one did: look at the load of the server",
      (signal) => measureSpeed(session, manifest, speedMs, signal),
      speedMs + longestMs,
    );
  }

  async #watch(session: YamuxSession): Promise<void> {
    const seconds = this.#watchSeconds;
    if (seconds === undefined) return this.#report.skip("watch", "not wanted; --watch SECONDS does it");
    const onSecond = (passed: number) => this.#report.progress(`watch: ${passed} of ${seconds} s`);
    await this.#report.step(
      "watch",
      "the connection does not answer any more",
      (signal) => watchIdle(session, seconds, signal, onSecond),
      1000 * seconds + longestMs,
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
