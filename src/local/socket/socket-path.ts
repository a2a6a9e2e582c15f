/** Bytes that a Unix socket's path has room for: the system keeps it in a field of a fixed size, with a zero behind. */
const maxUnixPathBytes = process.platform === "linux" ? 107 : 103;

/** Where an agent listens, and its clients look for it, unless they are told: C5.2. */
export function defaultAgentSocketPath(): string {
  return isNamedPipes ? "\\\\.\\pipe\\com.coder.agentsocket" : "/tmp/coder-agent.sock";
}

/** On Windows a local socket is a named pipe, which is no file. */
export const isNamedPipes = process.platform === "win32";

/**
 * A path that is too long would be cut by the system without a word, and name another file.
 * @returns what is wrong with it, if anything is.
 */
export function pathComplaint(path: string): string | undefined {
  if (isNamedPipes) return undefined;
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxUnixPathBytes) return undefined;
  return `the path ${path} is ${bytes} bytes long; a Unix socket's path has room for ${maxUnixPathBytes}: choose a shorter one`;
}
