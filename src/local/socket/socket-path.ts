import { isNamedPipes } from "../local-socket.js";

/** Where an agent listens, and its clients look for it, unless they are told: C5.2. */
export function defaultAgentSocketPath(): string {
  return isNamedPipes ? "\\\\.\\pipe\\com.coder.agentsocket" : "/tmp/coder-agent.sock";
}
