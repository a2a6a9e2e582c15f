import { describe, expect, it } from "vitest";
import { dialAgent, UnsupportedByServerError } from "../../src/client/index-node.js";
import { eventually } from "../support/control-plane.js";
import { failure } from "../support/echo.js";
import { tool, toolResult } from "../support/terminal.js";

describe("agentwire serve --max-version", () => {
  it("is a server of that version, and with --strict-versions has no more", async () => {
    const run = tool([
      ...["serve", "--listen", "127.0.0.1:0", "--database", "memory"],
      ...["--max-version", "2.4", "--strict-versions"],
    ]);
    await eventually(() => run.stdout().endsWith("\n"), "the line that it is ready");
    const { url, agents } = JSON.parse(run.stdout()) as { url: string; agents: [{ token: string }] };
    const connection = await dialAgent({ url, token: agents[0].token, proxy: false });
    expect(connection.version).toEqual({ major: 2, minor: 4 });
    await connection.agent.scriptCompleted({}).catch((error: unknown) => {
      expect(error).not.toBeInstanceOf(UnsupportedByServerError);
    });
    expect(await failure(connection.agent.listSubAgents({}))).toBeInstanceOf(UnsupportedByServerError);
    await connection.close();
    run.interrupt();
    expect(await run.exitCode).toBe(0);
  });

  it.each(["2.11", "3.0", "2", "2.x", "1.0"])(
    "takes only versions that there are: not %s",
    async (version) => {
      const { exitCode, stderr } = await toolResult(["serve", "--max-version", version]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`--max-version ${version}: must be a version of the API, 2.0 to 2.10`);
    },
  );
});
