import { formatUuid, normalizeUuid } from "../../codec/index.js";
import type { CoordinateRequest } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../rpc/error-text.js";
import type { Peer } from "./coordinator.js";
import { agentAddresses, formatAddress, parseNodePrefix } from "./node-address.js";

type Rule = Peer["authorize"];

/** For peers of the deployment itself: they may say anything. S4.13. */
export const anythingGoes: Rule = () => {};

/**
 * The rule for an agent: it opens no tunnels, and its addresses are its own. S4.12.
 * @throws TypeError when the id is no UUID. What the rule throws is said in its own sentence.
 */
export function agentRule(agentId: string): Rule {
  const own = agentAddresses(agentId);
  const check = (text: string) => {
    const address = hostAddress(text);
    if (!own.some((one) => one.every((byte, i) => byte === address[i]))) {
      throw new Error(`invalid node address, got ${formatAddress(address)}`);
    }
  };
  return ({ addTunnel, updateSelf }) => {
    if (addTunnel !== undefined) throw new Error("agents cannot open tunnels");
    checkEach("Addresses", updateSelf?.node?.addresses, check);
    checkEach("AllowedIps", updateSelf?.node?.allowedIps, check);
  };
}

/**
 * The rule for a client of one agent: no tunnels to others, and single addresses only. S4.13.
 * @param agentId the agent's UUID, in any of its spellings.
 */
export function clientRule(agentId: string): Rule {
  const expected = normalizeUuid(agentId) ?? agentId;
  return (request) => {
    const target = tunnelTarget(request);
    if (target !== undefined && target !== expected) {
      throw new Error(`invalid agent id, expected ${expected}, got ${target}`);
    }
    checkClient(request);
  };
}

/**
 * The rule for a client of all agents that a user may use: as {@link clientRule} otherwise. S4.13.
 * @param mayUse asked with the agent's id, lower-case, for each tunnel that is to be opened; must come to an end, for
 *   the peer's requests wait for it. What it throws goes to the peer and ends its stream.
 */
export function userRule(mayUse: (agentId: string) => boolean | Promise<boolean>): Rule {
  return async (request) => {
    const target = tunnelTarget(request);
    if (target !== undefined && !(await mayUse(target))) {
      throw new Error("workspace agent not found or you do not have permission");
    }
    checkClient(request);
  };
}

function tunnelTarget({ addTunnel }: CoordinateRequest): string | undefined {
  if (addTunnel === undefined) return undefined;
  const target = formatUuid(addTunnel.id);
  if (target !== undefined) return target;
  throw new Error(`parse add tunnel id: invalid UUID (got ${addTunnel.id.length} bytes)`);
}

function checkClient({ updateSelf, readyForHandshake }: CoordinateRequest): void {
  checkEach("Addresses", updateSelf?.node?.addresses, hostAddress);
  if (readyForHandshake.length > 0) throw new Error("clients may not send ready_for_handshake");
}

function checkEach(field: string, texts: readonly string[] = [], check: (text: string) => void): void {
  try {
    texts.forEach(check);
  } catch (error) {
    throw new Error(`${field}: ${errorText(error)}`);
  }
}

/** @throws Error when the text is not the prefix of a single IPv6 address. */
function hostAddress(text: string): Uint8Array {
  let prefix: ReturnType<typeof parseNodePrefix>;
  try {
    prefix = parseNodePrefix(text);
  } catch (error) {
    throw new Error(`parse node address: ${errorText(error)}`);
  }
  if (prefix.bits !== 128) throw new Error(`invalid address bits, expected 128, got ${prefix.bits}`);
  return prefix.address;
}
