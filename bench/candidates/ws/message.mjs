/**
 * Messages of the bare WebSocket candidate: a call is a four-byte id and the payload, and so is its answer. The id
 * `streamId` asks for a stream: a count follows, and the answers are payloads without anything.
 */
export const idBytes = 4;
export const streamId = 0xffff_ffff;
export const streamHeaderBytes = 8;

/** As the other candidates have it. */
export const asBinary = { binary: true, compress: false };
