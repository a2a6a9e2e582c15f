import { toBinary } from "@bufbuild/protobuf";
import { openWs } from "../../client/dial/open-ws-node.js";
import type { Attempt } from "../../client/dial/socket-opener.js";
import { Agent, DialError, isUnimplemented, type Manifest, TransportError } from "../../client/index-node.js";
import { pause } from "../../client/pause.js";
import { ManifestSchema } from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { createDrpcTransport, createServiceClient } from "../../rpc/index.js";
import { createYamuxSession, type YamuxSession } from "../../transport/index.js";
import { codeOf } from "./network.js";
import { Problem, type Seen } from "./report.js";

const pings = 10;
const parallelCalls = 8;
const proxyAdvice =
  "a proxy on the way must let WebSockets through (nginx: proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection upgrade)";

/** Opens the WebSocket. @param isIdle whether no keep-alive is to be sent. @throws Problem */
export async function openSession(attempt: Attempt, isIdle: boolean): Promise<Seen<YamuxSession>> {
  try {
    const connection = await openWs(attempt, {});
    const session = createYamuxSession(connection, {
      role: "client",
      ...(isIdle ? { keepAliveIntervalMs: 0 } : {}),
    });
    return { value: session, saw: "the request became a WebSocket" };
  } catch (error) {
    attempt.signal.throwIfAborted();
    throw upgradeProblem(error);
  }
}

function upgradeProblem(error: unknown): Problem {
  if (error instanceof DialError) return refusedUpgrade(error);
  const text = errorText(error);
  if (/^Invalid (Upgrade|Sec-WebSocket-Accept) header/.test(text)) {
    return new Problem(
      `the answer says 101, but not of a WebSocket: ${text}`,
      `something removes or changes headers of the answer: ${proxyAdvice}`,
    );
  }
  const code = codeOf(error) ?? "";
  if (code === "ECONNRESET" || code === "EPIPE" || /socket hang up/.test(text)) {
    return new Problem(
      "the connection was cut when it was to become a WebSocket; plain requests are answered",
      `a proxy or a firewall does not want WebSockets: ${proxyAdvice}`,
      { code },
    );
  }
  return new Problem(`no WebSocket: ${text}`, proxyAdvice, { code });
}

function refusedUpgrade({ status = 0, reason, detail = "" }: DialError): Problem {
  const facts = { status };
  const text = detail.split("\n", 1)[0] ?? "";
  if (status === 426 || /header .* does not contain/.test(detail)) {
    return new Problem(
      `the server did not see that a WebSocket was asked for (${status}): ${text}`,
      `the headers Upgrade and Connection are removed on the way: ${proxyAdvice}`,
      facts,
    );
  }
  if (status >= 200 && status < 300) {
    return new Problem(
      `the request to become a WebSocket was answered as any other (${status})`,
      `what answers knows no WebSockets: ${proxyAdvice}`,
      facts,
    );
  }
  if (status === 400) {
    return new Problem(
      `the request to become a WebSocket was refused (400): ${reason} ${text}`,
      `if the text is not the control plane's, a proxy broke the request: ${proxyAdvice}`,
      facts,
    );
  }
  if (status === 502 || status === 503 || status === 504) {
    return new Problem(
      `a proxy answers ${status} to the WebSocket, and lets plain requests through`,
      `it fails to take the WebSocket further: ${proxyAdvice}`,
      facts,
    );
  }
  return new Problem(
    `the request to become a WebSocket was refused (${status}): ${reason} ${text}`,
    "plain requests with the same token are taken: a proxy on the way may forbid WebSockets",
    facts,
  );
}

/** Times round trips. @throws Problem when the connection leads nowhere. */
export async function timePings(session: YamuxSession): Promise<Seen<void>> {
  const times: number[] = [];
  try {
    for (let i = 0; i < pings; i++) times.push(await session.ping());
  } catch (error) {
    throw brokenSession(error, times.length);
  }
  const [minMs, medianMs, maxMs] = [Math.min(...times), median(times), Math.max(...times)].map(rounded);
  return {
    value: undefined,
    saw: `${pings} round trips: ${minMs} ms at least, ${medianMs} ms median, ${maxMs} ms at most`,
    facts: { minMs, medianMs, maxMs, pings },
  };
}

function brokenSession(error: unknown, answered: number): Problem {
  const text = errorText(error);
  const facts = {
    answered,
    ...(error instanceof TransportError ? { reason: error.code, closeCode: error.closeCode } : {}),
  };
  if (error instanceof TransportError && error.code === "ping-timeout") {
    return new Problem(
      `the WebSocket is open, but nothing comes back over it: ${text}`,
      `a proxy holds messages back, or lets them through one way only: ${proxyAdvice}`,
      facts,
    );
  }
  return new Problem(
    answered === 0
      ? `the WebSocket was cut at once after it had opened: ${text}`
      : `the WebSocket was cut after ${answered} round trips: ${text}`,
    "a proxy or a firewall ends WebSockets, or the server fails when a session begins: look at the logs of both",
    facts,
  );
}

/** Calls GetManifest. @throws Problem */
export async function callThrough(
  session: YamuxSession,
  signal: AbortSignal,
): Promise<Seen<Manifest | undefined>> {
  try {
    const manifest = await clientOn(session).getManifest({}, { signal });
    const { ownerUsername, workspaceName, agentName } = manifest;
    return {
      value: manifest,
      saw: `GetManifest says: agent ${agentName} of ${ownerUsername}/${workspaceName}`,
      facts: { owner: ownerUsername, workspace: workspaceName, agent: agentName },
    };
  } catch (error) {
    if (isUnimplemented(error)) {
      const advice = "a server with handlers of its own may be meant so; agents need GetManifest";
      return { value: undefined, saw: "calls are answered, but there is no GetManifest", advice };
    }
    signal.throwIfAborted();
    throw new Problem(
      `GetManifest failed: ${errorText(error)}`,
      "the connection is good; the server failed with the call: look at its logs",
    );
  }
}

/** Makes calls for some time, one at a time and several at once. @throws Problem */
export async function measureSpeed(
  session: YamuxSession,
  manifest: Manifest,
  durationMs: number,
  signal: AbortSignal,
): Promise<Seen<void>> {
  const answerBytes = toBinary(ManifestSchema, manifest).length;
  try {
    const single = await callsFor(session, 1, durationMs / 2, signal);
    const parallel = await callsFor(session, parallelCalls, durationMs / 2, signal);
    const perSecond = Math.round(single.perSecond);
    const parallelPerSecond = Math.round(parallel.perSecond);
    const bytesPerSecond = Math.round(parallel.perSecond * answerBytes);
    const medianMs = rounded(median(single.timesMs));
    return {
      value: undefined,
      saw: `${perSecond} calls a second one at a time, median ${medianMs} ms; ${parallelPerSecond} with ${parallelCalls} at a time, ${Math.round(bytesPerSecond / 1000)} kB/s of answers`,
      facts: { medianMs, perSecond, parallelPerSecond, answerBytes, bytesPerSecond },
    };
  } catch (error) {
    signal.throwIfAborted();
    throw new Problem(
      `calls failed while they were timed: ${errorText(error)}`,
      "the connection does not carry many calls: look at the logs of the server and of proxies",
    );
  }
}

async function callsFor(session: YamuxSession, callers: number, durationMs: number, signal: AbortSignal) {
  const agent = clientOn(session);
  const timesMs: number[] = [];
  const startedAtMs = performance.now();
  const caller = async () => {
    while (performance.now() - startedAtMs < durationMs) {
      const calledAtMs = performance.now();
      await agent.getManifest({}, { signal });
      timesMs.push(performance.now() - calledAtMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { timesMs, perSecond: (1000 * timesMs.length) / (performance.now() - startedAtMs) };
}

/** Sends nothing for some time, and sees whether the connection is still there. @throws Problem when it is not. */
export async function watchIdle(
  session: YamuxSession,
  seconds: number,
  signal: AbortSignal,
  onSecond: (passed: number) => void,
): Promise<Seen<void>> {
  const startedAtMs = performance.now();
  const noMore = new AbortController();
  try {
    for (let passed = 0; passed < seconds; passed++) {
      onSecond(passed);
      const second = pause(1000, AbortSignal.any([signal, noMore.signal]));
      const end = await Promise.race([session.closed, second]);
      if (end !== undefined) throw cutWhenIdle((performance.now() - startedAtMs) / 1000, end.message);
    }
  } finally {
    noMore.abort();
  }
  try {
    await session.ping();
  } catch (error) {
    throw cutWhenIdle(seconds, errorText(error));
  }
  return {
    value: undefined,
    saw: `the connection was there after ${seconds} s without traffic of ours`,
    facts: { seconds },
  };
}

function cutWhenIdle(seconds: number, why: string): Problem {
  const idleSeconds = rounded(seconds);
  return new Problem(
    `the connection was cut after ${idleSeconds} s without traffic: ${why}`,
    "raise the time-out for idle connections of the proxy before the control plane (nginx: proxy_read_timeout) above the 30 s after which clients ping, or set yamux.keepAliveIntervalMs lower",
    { idleSeconds },
  );
}

function clientOn(session: YamuxSession) {
  return createServiceClient(Agent, createDrpcTransport(session));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** To hundredths. */
function rounded(value: number): number {
  return Math.round(100 * value) / 100;
}
