// The client of a candidate on Node. Usage: node client.mjs PORT STACK [VARIANT]
// It is ready when it has had an answer.
import { say, sayFailed, serveCommands } from "./commands.mjs";
import { burst, runStream, runUnary, verify } from "./load.mjs";

const [port, stack, variant] = process.argv.slice(2);
try {
  const { connect } = await import(`../candidates/${stack}/client.mjs`);
  const client = await connect(Number(port), variant);
  await client.unary(new Uint8Array());
  serveCommands({
    verify: () => verify(client),
    unary: (command) => runUnary(client, command),
    stream: (command) => runStream(client, command),
    burst: (command) => burst(client, command),
  });
  say({ ready: true });
} catch (error) {
  sayFailed(error);
  process.exitCode = 1;
}
