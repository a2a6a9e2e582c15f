import { describe, expect, it, onTestFinished, vi } from "vitest";
import { httpApi } from "../../support/http-api.js";
import { tailnetProgram } from "../../support/tailnet.js";

const never = () => new Promise<never>(() => {});
const fail = () => {
  throw new Error("no timer");
};

describe("a hook of the control plane's that never answers", () => {
  it.each(["authenticateUser", "isBrowserOnly"])(
    "is answered for when the server closes (%s)",
    async (name) => {
      const asked = vi.fn(never);
      const options =
        name === "isBrowserOnly" ? { tailnet: { isBrowserOnly: asked } } : { authenticateUser: asked };
      const { plane } = await httpApi({}, options);
      const refused = expect(tailnetProgram(plane)).rejects.toThrow("503");
      await vi.waitFor(() => expect(asked).toHaveBeenCalled());
      await plane.close();
      await refused;
    },
  );

  it("is given up after 30 s", async () => {
    const { plane } = await httpApi({}, { authenticateUser: never });
    const setTimer = vi.spyOn(globalThis, "setTimeout");
    onTestFinished(() => setTimer.mockRestore());
    const refused = expect(tailnetProgram(plane)).rejects.toThrow("503");
    const give = await vi.waitFor(() => setTimer.mock.calls.find(([, ms]) => ms === 30_000)?.[0] ?? fail());
    (give as () => void)();
    await refused;
  });
});
