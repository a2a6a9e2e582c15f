import { Child } from "./child.mjs";
import { clientProgram, serverProgram } from "./programs.mjs";

/**
 * The processes of a candidate, which live as long as the run.
 *
 * @typedef {object} Pair
 * @property {import("../candidates/index.mjs").Candidate} candidate
 * @property {Child} server
 * @property {Child} client
 * @property {number} port
 */

/**
 * Starts both and has the client look at answers byte by byte.
 *
 * @param {import("../candidates/index.mjs").Candidate} candidate
 * @param {import("./programs.mjs").NodeSettings} settings
 * @returns {Promise<Pair>}
 */
export async function startPair(candidate, settings) {
  const server = new Child(serverProgram(candidate.server, settings), `${candidate.name}, server`);
  const { port } = await server.next();
  const client = new Child(clientProgram(candidate.client, settings, port), `${candidate.name}, client`);
  await client.next();
  await client.request({ op: "verify" });
  return { candidate, server, client, port };
}
