import { expect, it } from "vitest";
import { LastingStreams } from "../../../src/server/tailnet/lasting-streams.js";
import { dialled } from "../../support/control-plane.js";
import { httpApi } from "../../support/http-api.js";
import { idBytes, tailnetProgram, talk, told } from "../../support/tailnet.js";

/** Reads the first answer of a stream. @returns how many more come before its end in order. */
async function begun<T>(answers: AsyncIterable<T>): Promise<{ more: Promise<number> }> {
  const iterator = answers[Symbol.asyncIterator]();
  await iterator.next();
  const rest = async () => {
    let count = 0;
    while (!(await iterator.next()).done) count++;
    return count;
  };
  return { more: rest() };
}

it("S1.40 S4.23 streams that last end in order when the server closes, which does not wait for them", async () => {
  const { plane, agentId } = await httpApi();
  const { agent, tailnet } = await dialled(plane);
  await agent.getManifest({});
  const program = await tailnetProgram(plane);
  const coordination = talk(tailnet);
  coordination.say({ readyForHandshake: [{ id: idBytes(agentId) }] });
  expect(told(await coordination.next())).toMatch(/^ready for handshake error/);
  const [maps, workspaces] = await Promise.all([
    begun(tailnet.streamDERPMaps({})),
    begun(program.tailnet.workspaceUpdates({ workspaceOwnerId: idBytes(agentId) })),
  ]);
  await plane.close(600_000);
  expect(told(await coordination.next())).toBe("coordinator closed");
  expect(told(await coordination.next())).toBe("end");
  expect([await maps.more, await workspaces.more]).toEqual([0, 0]);
});

it("S1.40 a stream that begins while the server closes ends at once, and one that has ended is forgotten", async () => {
  const streams = new LastingStreams();
  const ends: string[] = [];
  streams.add(() => ends.push("forgotten"))();
  streams.add(() => ends.push("there"));
  streams.end();
  streams.add(() => ends.push("late"));
  expect(ends).toEqual(["there", "late"]);
});
