import { once } from "node:events";

/**
 * @param {import("node:net").Server} server
 * @returns {Promise<number>} its port
 */
export async function listening(server) {
  // as many dial at once as the system lets wait
  server.listen(0, "127.0.0.1", 4096);
  await once(server, "listening");
  return server.address().port;
}
