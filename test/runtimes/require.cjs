const { dialAgent } = require("agentwire/client");

const { CODER_AGENT_URL: url, CODER_AGENT_TOKEN: token, LABEL: label } = process.env;
(async () => {
  const connection = await dialAgent({ url, token, role: "runtime" });
  const { agentName } = await connection.agent.getManifest({});
  const logSourceId = new Uint8Array(16).fill(1);
  for (let i = 1; i <= 100; i++) {
    await connection.agent.batchCreateLogs({ logSourceId, logs: [{ output: `${label} ${i}` }] });
  }
  const { major, minor } = connection.version;
  await connection.close();
  console.log(`${agentName} ${major}.${minor}`, require.resolve("agentwire/client").split("/dist/")[1]);
})();
