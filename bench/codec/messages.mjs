import { create } from "@bufbuild/protobuf";
import {
  BatchCreateLogsRequestSchema,
  BatchUpdateMetadataRequestSchema,
  ManifestSchema,
  UpdateStatsRequestSchema,
} from "../../dist/gen/coder/agent/v2/agent_pb.js";
import { CoordinateResponseSchema, DERPMapSchema } from "../../dist/gen/coder/tailnet/v2/index_pb.js";

/**
 * A message that is measured.
 *
 * @typedef {object} Subject
 * @property {string} name
 * @property {import("@bufbuild/protobuf").DescMessage} schema
 * @property {object} init what `create` takes
 */

/** @type {readonly Subject[]} */
export const subjects = [
  { name: "logs", schema: BatchCreateLogsRequestSchema, init: logs(100) },
  { name: "manifest", schema: ManifestSchema, init: manifest() },
  { name: "metadata", schema: BatchUpdateMetadataRequestSchema, init: metadata(20) },
  { name: "empty-stats", schema: UpdateStatsRequestSchema, init: {} },
  { name: "derp-map", schema: DERPMapSchema, init: derpMap(12) },
  { name: "coordinate", schema: CoordinateResponseSchema, init: coordinate(100) },
];

export const titles = {
  logs: "BatchCreateLogs, 100 lines of 100 letters",
  manifest: "Manifest",
  metadata: "BatchUpdateMetadata, 20 entries",
  "empty-stats": "UpdateStats, empty",
  "derp-map": "DERPMap, 12 regions",
  coordinate: "CoordinateResponse, 100 nodes",
};

/**
 * The message of a subject, as protobuf-es makes it.
 *
 * @param {Subject} subject
 */
export function messageOf({ schema, init }) {
  return create(schema, init);
}

/** @param {number} count */
function logs(count) {
  return {
    logSourceId: bytes(16, 1),
    logs: list(count, (i) => ({
      createdAt: time(i * 3_000_000),
      output: text(100, i),
      level: 1 + (i % 5),
    })),
  };
}

function manifest() {
  return {
    agentId: bytes(16, 1),
    agentName: "main",
    ownerUsername: "ada",
    workspaceId: bytes(16, 2),
    workspaceName: "dev",
    gitAuthConfigs: 1,
    environmentVariables: Object.fromEntries(list(20, (i) => [`VARIABLE_${i}`, text(40, i)])),
    directory: "/projects/engine",
    vsCodePortProxyUri: "https://{{port}}--main--dev--ada.example.com",
    motdPath: "/etc/motd",
    derpMap: derpMap(6),
    scripts: list(5, (i) => ({
      id: bytes(16, i),
      logSourceId: bytes(16, i),
      logPath: `/tmp/script-${i}.log`,
      script: text(600, i),
      runOnStart: true,
      timeout: { seconds: 300n },
      displayName: `Script ${i}`,
    })),
    apps: list(8, (i) => ({
      id: bytes(16, i),
      url: `http://localhost:${8000 + i}`,
      slug: `app-${i}`,
      displayName: `App ${i}`,
      icon: "/icon/code.svg",
      subdomain: true,
      subdomainName: `app-${i}--main--dev--ada`,
      sharingLevel: 1,
      healthcheck: { url: `http://localhost:${8000 + i}/healthz`, interval: { seconds: 5n }, threshold: 3 },
      health: 2,
    })),
    metadata: list(10, (i) => ({
      displayName: `Metadata ${i}`,
      key: `key_${i}`,
      script: text(150, i),
      interval: { seconds: 10n },
      timeout: { seconds: 5n },
    })),
  };
}

/** @param {number} count */
function metadata(count) {
  return {
    metadata: list(count, (i) => ({
      key: `key_${i}`,
      result: { collectedAt: time(i * 1_000), age: 2n, value: text(40, i) },
    })),
  };
}

/** @param {number} count */
function derpMap(count) {
  return {
    homeParams: { regionScore: { 1: 1.5, 2: 0.5 } },
    regions: Object.fromEntries(
      list(count, (i) => [
        i + 1,
        {
          regionId: BigInt(i + 1),
          regionCode: `region-${i}`,
          regionName: `Region ${i}`,
          nodes: list(2, (n) => ({
            name: `${i + 1}${n}`,
            regionId: BigInt(i + 1),
            hostName: `derp-${i}-${n}.example.com`,
            ipv4: `192.0.2.${i}`,
            ipv6: `2001:db8::${i}`,
            stunPort: 3478,
            derpPort: 443,
            canPort80: true,
          })),
        },
      ]),
    ),
  };
}

/** @param {number} count */
function coordinate(count) {
  return {
    peerUpdates: list(count, (i) => ({
      id: bytes(16, i),
      kind: 1,
      node: {
        id: 1_000_000_000_000n + BigInt(i),
        asOf: time(i * 1_000_000),
        key: bytes(32, i),
        disco: `discokey:${"0123456789abcdef".repeat(4)}`,
        preferredDerp: 1 + (i % 10),
        derpLatency: { "1-v4": 0.0123, "2-v4": 0.0456, "3-v4": 0.0789 },
        addresses: [`fd7a:115c:a1e0::${i}/128`],
        allowedIps: [`fd7a:115c:a1e0::${i}/128`],
        endpoints: [`192.0.2.${i}:41641`, `10.0.0.${i}:41641`, `[2001:db8::${i}]:41641`],
      },
    })),
  };
}

/** @param {number} nanos */
function time(nanos) {
  return { seconds: 1_763_740_000n, nanos };
}

/**
 * @param {number} length
 * @param {number} seed
 */
function bytes(length, seed) {
  return Uint8Array.from({ length }, (_, i) => (i * 37 + seed * 11) & 0xff);
}

/**
 * ASCII, as most of what agents send is.
 *
 * @param {number} length
 * @param {number} seed
 */
function text(length, seed) {
  const words = `${seed} the quick brown fox jumps over the lazy dog and goes home `;
  return words.repeat(Math.ceil(length / words.length)).slice(0, length);
}

/**
 * @template T
 * @param {number} length
 * @param {(index: number) => T} make
 */
function list(length, make) {
  return Array.from({ length }, (_, index) => make(index));
}
