// A server of one of the stacks: says where it listens, and what it uses when it is asked.
import { writeHeapSnapshot } from "node:v8";
import { say, sayFailed, serveCommands } from "../processes/commands.mjs";
import { used } from "./used.mjs";

const { stack, variant, settings } = JSON.parse(process.argv[2] ?? "");
try {
  const { serve } = await import(`./stacks/${stack}.mjs`);
  const server = await serve(variant, settings);
  /** What must not be collected. */
  const kept = [];
  serveCommands({
    used,
    async alone({ count }) {
      for (let i = 0; i < count; i++) kept.push(await server.alone());
      return {};
    },
    flooded: () => ({ bytes: server.flooded?.() ?? 0 }),
    snapshot: ({ file }) => ({ file: writeHeapSnapshot(file) }),
  });
  say({ port: server.port, tokens: server.tokens ?? [] });
} catch (error) {
  sayFailed(error);
}
