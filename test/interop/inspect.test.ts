import { expect, it } from "vitest";
import { proxied } from "../cli/inspect/proxied.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { describeWithGo, GoPeer } from "../support/go-peer.js";
import { agentRpc, expectQuiet, goCall, goDial, goRefusal } from "./support/go-client.js";

describeWithGo("a Go client through the inspector", () => {
  it("works as without it, and all layers are told", async () => {
    const plane = await controlPlane({ directory: "/projects" });
    const { proxy, events } = await proxied(plane.url);
    const peer = GoPeer.start();
    const handle = await goDial(peer, proxy);
    expect(await goCall(peer, handle, agentRpc("GetManifest"))).toMatchObject({ directory: "/projects" });
    expect(await goRefusal(goCall(peer, handle, agentRpc("UpdateAppStatus"), { slug: "x" }))).toMatchObject({
      text: expect.stringContaining('No app found with slug "x"'),
    });
    await expectQuiet(peer, handle);
    await peer.do("close", { handle });
    await eventually(() => events.at(-1)?.type === "end", "the end is told");
    const ends = events.flatMap((event) => (event.type === "rpc-end" ? `${event.rpc} ${event.code}` : []));
    expect(ends).toEqual([`${agentRpc("GetManifest")} ok`, `${agentRpc("UpdateAppStatus")} unknown`]);
    const kinds = new Set(events.map(({ type }) => type));
    expect(kinds).toEqual(
      new Set(["open", "websocket", "frame", "packet", "rpc-begin", "rpc-message", "rpc-end", "end"]),
    );
    expect(JSON.stringify(events)).not.toContain(token);
  });
});
