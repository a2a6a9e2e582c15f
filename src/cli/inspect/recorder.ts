import { closeSync, fchmodSync, openSync, writeSync } from "node:fs";
import { type RecordingHead, recordingLine, type WireEvent } from "../../observe/index.js";
import { errorText } from "../../rpc/error-text.js";
import { UsageError } from "../command.js";

/** For the user only: what is recorded is nobody else's business, secrets or not. */
const fileMode = 0o600;

/** Lines are put together up to so much. */
const maxWaitingCharacters = 64 * 1024;

/** Writes events to a file. What has happened in a turn of the event loop is in the file after it. */
export class Recorder {
  readonly #file: string;
  #descriptor: number | undefined;
  #waiting = "";
  #timer: NodeJS.Immediate | undefined;
  /** Why it is not complete. */
  error: string | undefined;

  /**
   * Begins a file anew.
   * @throws UsageError when it cannot be written.
   */
  constructor(file: string, head: RecordingHead) {
    this.#file = file;
    try {
      this.#descriptor = openSync(file, "w", fileMode);
      fchmodSync(this.#descriptor, fileMode);
    } catch (error) {
      throw new UsageError(`--record ${file}: ${errorText(error)}`);
    }
    this.#add(recordingLine(head));
  }

  /** Adds an event. */
  record(event: WireEvent): void {
    this.#add(recordingLine(event));
  }

  /** Writes what is left. */
  close(): void {
    this.#flush();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #add(line: string): void {
    if (this.#descriptor === undefined) return;
    this.#waiting += line;
    if (this.#waiting.length > maxWaitingCharacters) this.#flush();
    else this.#timer ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = "";
    if (this.#descriptor === undefined) return;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
    } catch (error) {
      this.error = `the recording ends here: ${this.#file}: ${errorText(error)}`;
      closeSync(this.#descriptor);
      this.#descriptor = undefined;
    }
  }
}
