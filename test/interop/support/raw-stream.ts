import { encodePacket, PacketKind } from "../../../src/codec/index.js";
import type { GoEcho } from "./echo-server.js";
import { commandMs, echoRpc, payloadB64 } from "./go-client.js";

/** A yamux stream of the Go client, written and read as bytes. */
export async function rawStream({ peer, session }: GoEcho) {
  const handle = await peer.handle("open", { handle: session, timeoutMs: commandMs });
  return {
    write: (bytes: Uint8Array) =>
      peer.do("write", { handle, dataB64: Buffer.from(bytes).toString("base64"), timeoutMs: commandMs }),
    /** Reads so many bytes, or to the end. */
    async read(length = Number.POSITIVE_INFINITY) {
      const chunks: Buffer[] = [];
      for (let got = 0; got < length; ) {
        const max = Math.min(length - got, 65_536);
        const { dataB64, eof } = await peer.do("read", { handle, max, timeoutMs: commandMs });
        chunks.push(Buffer.from(String(dataB64), "base64"));
        got += chunks.at(-1)?.length ?? 0;
        if (eof === true) break;
      }
      return Buffer.concat(chunks);
    },
    closeWrite: () => peer.do("closeWrite", { handle }),
  };
}

/** All that a caller says in a unary call. */
export function unaryCall(id: number, text: string): Buffer {
  const body = Buffer.from(payloadB64(Buffer.from(text)), "base64");
  return Buffer.concat([
    encodePacket(PacketKind.Invoke, id, 1, Buffer.from(echoRpc("Unary"))),
    encodePacket(PacketKind.Message, id, 2, body),
    encodePacket(PacketKind.CloseSend, id, 3, Buffer.alloc(0)),
  ]);
}

/** What a server answers it. */
export function unaryAnswer(id: number, text: string): Buffer {
  const body = Buffer.from(payloadB64(Buffer.from(text)), "base64");
  return Buffer.concat([
    encodePacket(PacketKind.Message, id, 1, body),
    encodePacket(PacketKind.CloseSend, id, 2, Buffer.alloc(0)),
  ]);
}
