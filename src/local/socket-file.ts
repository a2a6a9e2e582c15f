import { lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import { connect, type Server } from "node:net";
import { isNamedPipes } from "./local-socket.js";

/** How long a server behind an existing file has to take a connection. C5.3. */
const probeTimeoutMs = 10_000;

/** What connecting to a file fails with that nobody listens behind. */
const nobodyThere = new Set(["ECONNREFUSED", "ENOENT", "ENOTSOCK"]);

/** Whether somebody takes connections at a path. Who has too many to take another, or may not be asked, is there. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const timer = setTimeout(() => answer(false), probeTimeoutMs);
    const answer = (isThere: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", ({ code = "" }: NodeJS.ErrnoException) => answer(!nobodyThere.has(code)));
  });
}

/** The file that a server listens behind, so that its end removes that file and no other. On Windows there is none. */
export class SocketFile {
  readonly #path: string;
  readonly #own: Stats | undefined;

  /** Of a server that has just begun to listen at the path. */
  constructor(path: string) {
    this.#path = path;
    this.#own = isNamedPipes ? undefined : statsOf(path);
  }

  /**
   * Closes the server and removes its file; one that another program has put in its place stays.
   * @returns when the server's connections have ended too.
   */
  close(server: Server): Promise<void> {
    let closed: Promise<void> | undefined;
    const close = () => {
      closed ??= new Promise((resolve) => server.close(() => resolve()));
    };
    try {
      if (!isNamedPipes) this.#closeFile(close);
    } catch {
      // what may not be moved or removed stays
    }
    close();
    return closed ?? Promise.resolve();
  }

  #closeFile(close: () => void): void {
    const now = statsOf(this.#path);
    if (now === undefined) return;
    if (now.ino === this.#own?.ino && now.dev === this.#own.dev) {
      close();
      rmSync(this.#path, { force: true });
      return;
    }
    // a server that closes removes what has its path, whosever it is: that is out of its way for so long
    const aside = `${this.#path}.${process.pid}`;
    renameSync(this.#path, aside);
    close();
    renameSync(aside, this.#path);
  }
}

function statsOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
