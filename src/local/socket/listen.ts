import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { errorText } from "../../rpc/error-text.js";
import { isNamedPipes, socketPathComplaint } from "../local-socket.js";
import { isServed, SocketFile } from "../socket-file.js";

/**
 * Listens on a local socket that only the own user may open: a file that nobody listens behind is replaced, the folder
 * made where it is missing. C5.3.
 * @returns the file, with which to close the server.
 * @throws Error `create socket: …` when somebody listens there, or it cannot be.
 */
export async function listenOn(server: Server, path: string): Promise<SocketFile> {
  const complaint = socketPathComplaint(path);
  if (complaint !== undefined) throw new Error(`create socket: ${complaint}`);
  if (!isNamedPipes) await makeWay(path);
  await step("listen on unix socket", listening(server, path));
  const file = new SocketFile(path);
  if (isNamedPipes) return file;
  try {
    await step("set socket permissions", chmod(path, 0o600));
  } catch (error) {
    void file.close(server);
    throw error;
  }
  return file;
}

async function makeWay(path: string): Promise<void> {
  if (await step("remove existing socket", exists(path))) {
    if (await isServed(path)) {
      throw new Error(`create socket: socket path ${path} is not available: another program serves it`);
    }
    await step("remove existing socket", rm(path));
  }
  await step("create socket directory", mkdir(dirname(path), { recursive: true, mode: 0o700 }));
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // a folder on the way that is none is told when the folder is made
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function step<T>(what: string, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    throw new Error(`create socket: ${what}: ${errorText(error)}`, { cause: error });
  }
}
