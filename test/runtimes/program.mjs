// What each runtime does with the installed package: negotiate, a call, logs, a stream, an end in order.
import { dialAgent, LogSender } from "agentwire/client";
import { dialAgent as dialAgentOnly } from "agentwire/client/agent";

export const lines = 100;
const source = "11111111-2222-4333-8444-555555555555";

/**
 * @param {{ url: string, token: string }} target
 * @param {string} label begins each line of log
 */
export async function speak(target, label) {
  const connection = await dialAgent({ ...target, role: "runtime" });
  const { agentName } = await connection.agent.getManifest({});
  const logs = new LogSender();
  const end = new AbortController();
  const running = logs.run(connection.agent, end.signal).catch(() => {});
  for (let i = 1; i <= lines; i++) await logs.send(source, [{ output: `${label} ${i}` }]);
  await logs.whenEmpty();
  end.abort();
  await running;
  for await (const map of connection.tailnet.streamDERPMaps({})) {
    if (map.regions === undefined) throw new Error("there are no regions in the map of relays");
    break;
  }
  const { major, minor } = connection.version;
  await connection.close();
  const alone = await dialAgentOnly({ ...target, role: "runtime-alone" });
  await alone.agent.updateStats({});
  await alone.close();
  return `${agentName} ${major}.${minor}`;
}
