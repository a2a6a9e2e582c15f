import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Manifest } from "../../client/index-node.js";
import { formatUuid } from "../../codec/index.js";
import { expandDirectory } from "../workspace/workplace.js";

type Script = Pick<Manifest["scripts"][number], "logPath" | "logSourceId">;

/** The file that a script's output also goes to. C4.67. */
export function logPathOf({ logPath, logSourceId }: Script, logDirectory: string): string {
  if (logPath === "") return join(logDirectory, `coder-script-${formatUuid(logSourceId) ?? "unknown"}.log`);
  return expandDirectory(logPath);
}

/** The output of a script as a file. A file that cannot be written costs nothing but itself. */
export class LogFile {
  readonly #stream: WriteStream;
  readonly #onWarning: (text: string) => void;
  #hasFailed = false;

  private constructor(stream: WriteStream, onWarning: (text: string) => void) {
    this.#stream = stream;
    this.#onWarning = onWarning;
    stream.on("error", (error) => this.#failed(error));
  }

  /** Opens it for this user alone; what it had is replaced. */
  static async open(path: string, onWarning: (text: string) => void): Promise<LogFile> {
    // where the folder cannot be made the file cannot be opened, which is told
    await mkdir(dirname(path), { recursive: true }).catch(() => {});
    // no path has a NUL: what is asked for then is a file that cannot be there
    const stream = createWriteStream(path.includes("\0") ? "" : path, { mode: 0o600 });
    return new LogFile(stream, onWarning);
  }

  /** Resolves when it may take more. */
  async write(chunk: Buffer): Promise<void> {
    if (this.#hasFailed || this.#stream.write(chunk)) return;
    const stream = this.#stream;
    await new Promise<void>((resolve) => {
      const goOn = () => {
        stream.off("drain", goOn);
        stream.off("close", goOn);
        resolve();
      };
      stream.on("drain", goOn);
      stream.on("close", goOn);
    });
  }

  async close(): Promise<void> {
    if (this.#hasFailed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("close", resolve);
      this.#stream.end();
    });
  }

  #failed(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onWarning(`log file ${String(this.#stream.path)}: ${error.message}`);
  }
}
