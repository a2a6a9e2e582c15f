/** On Windows a local socket is a named pipe, which is no file. */
export const isNamedPipes = process.platform === "win32";

/** Bytes that a Unix socket's path has room for: the system keeps it in a field of a fixed size, with a zero behind. */
const maxUnixPathBytes = process.platform === "linux" ? 107 : 103;

/**
 * What is wrong with the path of a local socket, if anything is. One that is too long would be cut by the system
 * without a word, and name another file.
 */
export function socketPathComplaint(path: string): string | undefined {
  if (path === "") return "the path of the socket is empty; give one";
  if (path.includes("\0")) return "the path of the socket has a zero byte in it";
  if (isNamedPipes) return undefined;
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxUnixPathBytes) return undefined;
  return `the path ${path} is ${bytes} bytes long; a Unix socket's path has room for ${maxUnixPathBytes}: choose a shorter one`;
}
