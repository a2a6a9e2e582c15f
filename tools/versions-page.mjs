#!/usr/bin/env node
// @ts-check
// Writes docs/versions.md from the schemas' ladder of versions and the client's table of what calls do on older
// servers. Needs the built package: npm run build && node tools/versions-page.mjs
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * @typedef {{ major: number, minor: number }} Version
 * @typedef {{ kind: string, parent: string, name: string, since: Version }} LadderEntry
 * @typedef {{ name: string, way: string, rule: string, when: string, standsIn: boolean }} Shim
 * @typedef {{ rpc: string, method: string, since: Version, shims: Shim[] }} Rpc
 */

/**
 * @param {{ ladder: LadderEntry[], rpcs: Rpc[] }} facts
 * @returns {string} the page
 */
export function versionsPage({ ladder, rpcs }) {
  const shims = rpcs.flatMap(({ rpc, shims }) => shims.map((shim) => ({ rpc, ...shim })));
  const parts = ladder.filter(({ kind }) => kind !== "method");
  return `# Versions

<!-- Written by tools/versions-page.mjs. Do not edit. -->

A connection is of one version of the API, which is agreed on when it is dialled. A server takes every version up to its own and refuses later ones, with its own version in the refusal; \`dialAgent\` without a version then dials that one. A client with a fixed version that is too new for the server fails with a \`DialError\` whose \`validations\` name both.

The version decides who may connect, and nothing else: a server may have an RPC before the version that promises it, and some do not have one that they promise. So every RPC is tried. What a server is then found to lack is remembered for the connection: \`connection.supports(method)\` is false, and the next call goes the older way at once, or fails at once. How to write a client with that in mind, and how to test it, is in [skew.md](skew.md).

## A newer client on an older server

${table(
  ["RPC", "since", "where the server does not have it", "how"],
  rpcs.map(({ rpc, since, shims }) => {
    const shim = shims.find(({ standsIn }) => standsIn);
    const does = shim === undefined ? "`UnsupportedByServerError`" : `goes the older way: ${code(shim.way)}`;
    return [code(rpc), text(since), does, shim?.rule ?? "nothing is sent again on the connection"];
  }),
)}

Every server has the RPCs of 2.0, so what their rows say is for servers that were built without one. \`Tailnet.RefreshResumeToken\` and \`Tailnet.WorkspaceUpdates\` are for the clients of users: on an agent's session the reference server and this one answer them with an error that says so, which is an ordinary \`RpcError\`.

## Older ways

All are taken by default. \`dialAgent({ shims: false })\` takes none; each can be switched off by its name.

${table(
  ["name", "calls of", "taken when", "is"],
  shims.map(({ name, rpc, when, way, rule }) => [code(name), code(rpc), when, `${code(way)}: ${rule}`]),
)}

\`\`\`ts
import { dialAgent, UnsupportedByServerError } from "agentwire/client";

const connection = await dialAgent({
  url: "https://coder.example.com",
  token: "…",
  shims: { appStatusOverHttp: false },
});
try {
  await connection.agent.updateAppStatus({ slug: "assistant", message: "waiting" });
} catch (error) {
  if (!(error instanceof UnsupportedByServerError)) throw error;
  console.log(\`needs API 2.\${error.needed.minor}, this is 2.\${error.connection.minor}\`);
}
\`\`\`

- One round trip is lost for each such RPC on each connection: the one that is refused.
- Those over HTTP go to the \`url\` of the dial with its token and \`headers\`, with the \`fetch\` of the dial's options where there is one. Without it, on Node they go through the same proxy and with the same certificates as the connection, elsewhere with the runtime's \`fetch\`; in browsers the server must allow the request (CORS). A call's \`timeoutMs\` counts anew for it.
- Where the older way is not there either, the call fails with \`UnsupportedByServerError\` too.
- \`connection.transport\`, and clients that are made of it, take no older ways: there errors are as the server sends them.

## Fields and values

What came later than its message or enum. An older side skips fields that it does not know, so it does no harm to send them: \`CreateSubAgentRequest.id\` to a server before 2.8 is as if it were not there, and the server makes a sub-agent with an id of its own choice. A client of an older version gets them all the same, unless the server is strict; a value of an enum that it does not know is a number without a name.

${table(
  ["since", "what", "of a kind"],
  parts.map(({ since, parent, name, kind }) => [text(since), code(`${shortName(parent)}.${name}`), kind]),
)}

\`methodVersion\`, \`fieldVersion\`, \`enumValueVersion\` and \`ladder\` in \`agentwire/version\` know all of it at run time, and \`onOlderServers\` in \`agentwire/client\` the tables above.

## An older client on a newer server

By default a session of any version has everything, as on the reference server. With \`strictVersions\`, an option of \`attachRpc\`, \`createAgentApi\` and \`startControlPlane\`, a session has what its version promises, which is how a server of that version would answer it:

- RPCs that came later are refused with code 12, \`Unimplemented\`;
- fields that came later are dropped, from requests before interceptors and handlers see them, and from answers before they are sent, in messages at any depth;
- values of enums that came later are 0 there, which means unspecified;
- calls over Connect, gRPC and gRPC-Web have no version and are not touched, nor are the HTTP endpoints and other services.

\`serverVersion\` makes a server one of an older version: it refuses dials of later ones. On the command line, to see how an agent does on a server of 2.3:

\`\`\`sh
agentwire serve --max-version 2.3 --strict-versions
\`\`\`
`;
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
function table(head, rows) {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @param {string} words of which some may be code already */
function code(words) {
  return words.includes("`") ? words : `\`${words}\``;
}

/** @param {Version} version */
function text({ major, minor }) {
  return `${major}.${minor}`;
}

/** @param {string} fullName */
function shortName(fullName) {
  return fullName.split(".v2.").at(-1) ?? fullName;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = new URL("../dist/", import.meta.url);
  const { ladder } = await import(new URL("version/index.js", dist).href);
  const { onOlderServers } = await import(new URL("client/index-node.js", dist).href);
  const page = versionsPage({ ladder: ladder(), rpcs: onOlderServers() });
  writeFileSync(new URL("../docs/versions.md", import.meta.url), page);
}
