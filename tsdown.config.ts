import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { defineConfig, type Rolldown, type UserConfig } from "tsdown";

const outDir = "dist";
// All builds write here, so none may clean it: `npm run build` does so before. Not this file, which linters read too.

const common: UserConfig = {
  target: "es2022",
  platform: "node",
  fixedExtension: false,
  clean: false,
  report: false,
  logLevel: "warn",
  inputOptions: { checks: { pluginTimings: false } },
};

/**
 * Bundlers put modules one behind the other as they are imported, and gzip finds again what is less than 32 KiB back.
 * So the clients import the codecs first, right behind the descriptors, whose names they have: 0.5 kB of a bundle.
 */
const firstImports = new Map([
  ["client/agent/index.js", 'import "../../gen/coder/agent/v2/agent_codec.js";'],
  [
    "client/index.js",
    'import "../gen/coder/agent/v2/agent_codec.js";\nimport "../gen/coder/tailnet/v2/tailnet_codec.js";',
  ],
]);

/**
 * One file for each source file: bundlers take what they need, and the types are here. Of the code, what only Node
 * runs is for benchmarks and not part of the package.
 */
const files: UserConfig = {
  ...common,
  unbundle: true,
  root: "src",
  outDir,
  outputOptions: { banner: ({ fileName }) => firstImports.get(fileName) ?? "" },
};

/** What clients of the agent service need on Node; nothing of the tailnet service, and of what only servers need. */
const agentClient = /\/src\/(client|codec|transport|rpc|version|gen)\//;
const notAgentClient =
  /\/client\/(index|exports|tailnet|dial\/((agent|tailnet)-connection|open-ws-node)|http\/exchange-node)|\/rpc\/(server-|router|handler-)|\/version\/drop-newer|\/transport\/(memory|ws-node|socket-node|index-node)|\/gen\/(coder\/(agentsocket|boundary|tailnet\/v2\/(tailnet|index))|agentwire)/;

/**
 * Writes other characters than those of ASCII as escapes. One of them makes V8 keep the text of a whole file with two
 * bytes for each character, for as long as the process runs.
 */
const asAscii: Rolldown.Plugin = {
  name: "as-ascii",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== "chunk") continue;
      file.code = file.code.replace(
        /[^\0-\x7f]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
    }
  },
};

/**
 * For Node the same in few files, since it takes longer to find and read a hundred files than to run them. What a
 * client needs is in two of them, and entries share their files.
 */
const chunks: UserConfig = {
  ...common,
  outDir: `${outDir}/node`,
  dts: false,
  plugins: [asAscii],
  outputOptions: {
    comments: false,
    codeSplitting: {
      groups: [
        {
          name: "agent-client",
          priority: 2,
          test: (id) => agentClient.test(id) && !notAgentClient.test(id),
        },
        {
          name: "tailnet-client",
          priority: 1,
          test: /\/src\/(client\/(?!.*(open-ws|exchange)-node)|gen\/coder\/tailnet\/v2\/)/,
        },
      ],
    },
  },
};

/** The entries of the package, as Node gets them. */
const chunkEntries = {
  index: "src/index-node.ts",
  client: "src/client/index-node.ts",
  "client-agent": "src/client/agent/index-node.ts",
  transport: "src/transport/index-node.ts",
  codec: "src/codec/index.ts",
  "codec-runtime": "src/codec/protobuf/index.ts",
  rpc: "src/rpc/index.ts",
  version: "src/version/index.ts",
  server: "src/server/index.ts",
  store: "src/store/index.ts",
  "store-sql": "src/store/sql/index.ts",
  local: "src/local/index.ts",
  agent: "src/agent/index.ts",
  observe: "src/observe/index.ts",
  "observe-opentelemetry": "src/observe/opentelemetry.ts",
  "observe-prometheus": "src/observe/prometheus.ts",
  testing: "src/testing/index.ts",
  "gen-agent": "src/gen/coder/agent/v2/agent_pb.ts",
  "gen-agent-codecs": "src/gen/coder/agent/v2/agent_codec.ts",
  "gen-tailnet": "src/gen/coder/tailnet/v2/index_pb.ts",
  "gen-tailnet-codecs": "src/gen/coder/tailnet/v2/index_codec.ts",
  "gen-agentsocket": "src/gen/coder/agentsocket/v1/agentsocket_pb.ts",
  "gen-agentsocket-codecs": "src/gen/coder/agentsocket/v1/agentsocket_codec.ts",
  "gen-boundary": "src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.ts",
  "gen-boundary-codecs": "src/gen/coder/boundarylogproxy/codec/v1/boundary_codec.ts",
  "gen-admin": "src/gen/agentwire/admin/v1/admin_pb.ts",
};

/** Whose code is in the page; their licences go with it. */
const pagePackages = ["preact", "@preact/signals", "@preact/signals-core"];

/** Of others the licence is that of this package, and what they want to be said is this. */
const apacheNotices = [
  "@bufbuild/protobuf: Copyright 2021-2026 Buf Technologies, Inc.",
  "@connectrpc/connect, @connectrpc/connect-web: Copyright 2021-2026 The Connect Authors",
  "Licensed under the Apache License, Version 2.0: see LICENSE of this package.",
];

function putPageFiles() {
  for (const file of ["index.html", "page.css", "icon.svg"]) cpSync(`web/${file}`, `${outDir}/page/${file}`);
  const notices = pagePackages.map(
    (name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}`,
  );
  writeFileSync(`${outDir}/page/licenses.txt`, `${[...notices, apacheNotices.join("\n")].join("\n\n\n")}\n`);
}

/** The control plane's page. What only its direct connection needs is loaded when somebody asks for that. */
const page: UserConfig = {
  ...common,
  entry: { page: "web/main.tsx" },
  outDir: `${outDir}/page`,
  format: "esm",
  platform: "browser",
  minify: true,
  dts: false,
  deps: { alwaysBundle: () => true },
  inputOptions: {
    ...common.inputOptions,
    transform: { jsx: { runtime: "automatic", importSource: "preact" } },
  },
  outputOptions: {
    comments: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    codeSplitting: { groups: [{ name: "shared", test: /node_modules\/@(bufbuild|connectrpc)\// }] },
  },
  onSuccess: putPageFiles,
};

export default defineConfig([
  page,
  {
    ...files,
    entry: [
      "src/index.ts",
      "src/index-node.ts",
      "src/{codec,rpc,version,observe,server,store,local,agent,testing}/index.ts",
      "src/store/sql/index.ts",
      "src/observe/{opentelemetry,prometheus}.ts",
      "src/codec/protobuf/index.ts",
      "src/{transport,client,client/agent}/index.ts",
      "src/{transport,client,client/agent}/index-node.ts",
      "src/gen/coder/**/*_{pb,codec}.ts",
      "src/gen/agentwire/admin/v1/admin_pb.ts",
    ],
    format: ["esm", "cjs"],
    dts: true,
  },
  { ...chunks, entry: { ...chunkEntries, main: "src/cli/main.ts" }, format: "esm" },
  { ...chunks, entry: chunkEntries, format: "cjs" },
]);
