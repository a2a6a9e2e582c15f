import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CoordinateRequestSchema, type NodeSchema } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type { Peer } from "../../../src/server/tailnet/coordinator.js";
import { agentRule, anythingGoes, clientRule, userRule } from "../../../src/server/tailnet/tunnel-auth.js";
import { idBytes } from "./test-peer.js";

const agentId = "01020304-0506-0708-090a-0b0c0d0e0f10";
const otherId = "11111111-2222-4333-8444-555555555555";

/** What a rule says of a request; undefined when it may be. */
async function refusal(
  rule: Peer["authorize"],
  request: MessageInitShape<typeof CoordinateRequestSchema>,
): Promise<string | undefined> {
  try {
    await rule(create(CoordinateRequestSchema, request));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function ofNode(node: MessageInitShape<typeof NodeSchema>) {
  return { updateSelf: { node } };
}

const tunnel = (id: string) => ({ addTunnel: { id: idBytes(id) } });
const ready = { readyForHandshake: [{ id: idBytes(otherId) }] };
const always = { updateSelf: {}, removeTunnel: { id: new Uint8Array(3) }, disconnect: {} };

describe("S4.12 the rule for agents", () => {
  const rule = agentRule(agentId);

  it.each([
    ["all that needs no permission", { ...always, ...ready }, undefined],
    ["empty lists", ofNode({ addresses: [], allowedIps: [] }), undefined],
    ["its address", ofNode({ addresses: ["fd7a:115c:a1e0:708:90a:b0c:d0e:f10/128"] }), undefined],
    ["its other address", ofNode({ allowedIps: ["fd60:627a:a42b:708:90a:b0c:d0e:f10/128"] }), undefined],
    ["the legacy address", ofNode({ addresses: ["FD7A:115c:a1e0:49d6:b259:b7ac:b1b2:48f4/128"] }), undefined],
    ["a tunnel", tunnel(otherId), "agents cannot open tunnels"],
    ["a tunnel to no id", { addTunnel: {} }, "agents cannot open tunnels"],
    [
      "another agent's address",
      ofNode({ addresses: ["fd7a:115c:a1e0:708:90a:b0c:d0e:f10/128", "fd7a:115c:a1e0::1/128"] }),
      "Addresses: invalid node address, got fd7a:115c:a1e0::1",
    ],
    [
      "another prefix",
      ofNode({ allowedIps: ["fd00:115c:a1e0:708:90a:b0c:d0e:f10/128"] }),
      "AllowedIps: invalid node address, got fd00:115c:a1e0:708:90a:b0c:d0e:f10",
    ],
    [
      "a network",
      ofNode({ allowedIps: ["fd7a:115c:a1e0::/48"] }),
      "AllowedIps: invalid address bits, expected 128, got 48",
    ],
    [
      "IPv4",
      ofNode({ addresses: ["192.0.2.1/32"] }),
      "Addresses: invalid address bits, expected 128, got 32",
    ],
    [
      "IPv4 in IPv6",
      ofNode({ addresses: ["::ffff:192.0.2.1/128"] }),
      "Addresses: invalid node address, got ::ffff:192.0.2.1",
    ],
    [
      "a zone",
      ofNode({ addresses: ["fe80::1%eth0/128"] }),
      'Addresses: parse node address: netip.ParsePrefix("fe80::1%eth0/128"): IPv6 zones cannot be present in a prefix',
    ],
    [
      "no prefix; addresses come first",
      ofNode({ addresses: ["x"], allowedIps: ["y"] }),
      `Addresses: parse node address: netip.ParsePrefix("x"): no '/'`,
    ],
  ])("%s", async (_, request, expected) => {
    expect(await refusal(rule, request)).toBe(expected);
  });

  it("a hundred thousand wrong addresses cost one", async () => {
    const addresses = Array.from({ length: 100_000 }, () => "::1/128");
    expect(await refusal(rule, ofNode({ addresses }))).toBe("Addresses: invalid node address, got ::1");
  });
});

describe("S4.13 the rule for clients of one agent", () => {
  const rule = clientRule(agentId.toUpperCase());

  it.each([
    ["all that needs no permission", always, undefined],
    [
      "a tunnel to the agent, and any address",
      { ...tunnel(agentId), ...ofNode({ addresses: ["::1/128"] }) },
      undefined,
    ],
    ["a tunnel to another", tunnel(otherId), `invalid agent id, expected ${agentId}, got ${otherId}`],
    ["a tunnel to no id", { addTunnel: {} }, "parse add tunnel id: invalid UUID (got 0 bytes)"],
    ["ready_for_handshake", ready, "clients may not send ready_for_handshake"],
    ["a network", ofNode({ addresses: ["::/0"] }), "Addresses: invalid address bits, expected 128, got 0"],
    [
      "no address",
      ofNode({ addresses: ["/128"] }),
      'Addresses: parse node address: netip.ParsePrefix("/128"): ParseAddr(""): unable to parse IP',
    ],
  ])("%s", async (_, request, expected) => {
    expect(await refusal(rule, request)).toBe(expected);
  });
});

describe("S4.13 the rule for a user's clients", () => {
  const asked: string[] = [];
  const rule = userRule(async (id) => {
    asked.push(id);
    return id === agentId;
  });

  it.each([
    ["all that needs no permission", always, undefined],
    ["a tunnel to an agent of the user's", tunnel(agentId), undefined],
    ["a tunnel to another", tunnel(otherId), "workspace agent not found or you do not have permission"],
    [
      "a tunnel to no id",
      { addTunnel: { id: new Uint8Array(17) } },
      "parse add tunnel id: invalid UUID (got 17 bytes)",
    ],
    ["ready_for_handshake", ready, "clients may not send ready_for_handshake"],
    ["a network", ofNode({ addresses: ["::1/64"] }), "Addresses: invalid address bits, expected 128, got 64"],
  ])("%s", async (_, request, expected) => {
    expect(await refusal(rule, request)).toBe(expected);
  });

  it("asks for tunnels only", () => {
    expect(asked).toEqual([agentId, otherId]);
  });

  it("what goes wrong while it is asked refuses the request", async () => {
    const broken = userRule(() => Promise.reject(new Error("the store is closed")));
    expect(await refusal(broken, tunnel(agentId))).toBe("the store is closed");
  });
});

it("S4.13 peers of the deployment may say anything", async () => {
  const request = { ...always, ...ready, ...tunnel(otherId), ...ofNode({ addresses: ["x"] }) };
  expect(await refusal(anythingGoes, request)).toBeUndefined();
});

it("an agent without a UUID is a mistake", () => {
  expect(() => agentRule("main")).toThrow('the id of an agent is a UUID, not "main"');
});
