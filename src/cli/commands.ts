import type { Command } from "./command.js";
import { agent } from "./commands/agent.js";
import { call } from "./commands/call.js";
import { completionCommand } from "./commands/completion.js";
import { context } from "./commands/context.js";
import { demo } from "./commands/demo.js";
import { doctor } from "./commands/doctor.js";
import { inspect } from "./commands/inspect.js";
import { logs } from "./commands/logs.js";
import { manCommand } from "./commands/man.js";
import { serve } from "./commands/serve.js";
import { status } from "./commands/status.js";
import { sync } from "./commands/sync.js";
import { versions } from "./commands/versions.js";

/** All commands, in the order in which help, completion and the man page have them. */
export const commands: readonly Command[] = [
  serve,
  agent,
  call,
  logs,
  status,
  sync,
  context,
  inspect,
  doctor,
  versions,
  demo,
  completionCommand(() => commands),
  manCommand(() => commands),
];
