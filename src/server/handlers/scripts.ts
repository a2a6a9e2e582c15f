import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Timing_Stage, Timing_Status } from "../../gen/coder/agent/v2/agent_pb.js";
import type { ScriptTimingRecord } from "../../store/index.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { doing, HandlerFailure, uuidIn } from "./failure.js";
import { timestampUs, yearOneSeconds } from "./time.js";

const stages: Readonly<Partial<Record<Timing_Stage, ScriptTimingRecord["stage"]>>> = {
  [Timing_Stage.START]: "start",
  [Timing_Stage.STOP]: "stop",
  [Timing_Stage.CRON]: "cron",
};

const statuses: Readonly<Partial<Record<Timing_Status, ScriptTimingRecord["status"]>>> = {
  [Timing_Status.OK]: "ok",
  [Timing_Status.EXIT_FAILURE]: "exit_failure",
  [Timing_Status.TIMED_OUT]: "timed_out",
  [Timing_Status.PIPES_LEFT_OPEN]: "pipes_left_open",
};

/** ScriptCompleted. S3.84–S3.86. */
export function scriptHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async scriptCompleted({ timing }) {
      if (timing === undefined) throw new HandlerFailure("script timing is required");
      const scriptId = uuidIn(timing.scriptId, "script id from bytes: ");
      const startedAtUs = timeOf(timing.start, "start");
      const endedAtUs = timeOf(timing.end, "end");
      if (startedAtUs > endedAtUs) throw new HandlerFailure("script start time cannot be after end time");
      const what = "insert workspace agent script timings into database";
      const stage = stages[timing.stage];
      const status = statuses[timing.status];
      if (stage === undefined) throw new HandlerFailure(`${what}: there is no stage ${timing.stage}`);
      if (status === undefined) throw new HandlerFailure(`${what}: there is no status ${timing.status}`);
      const { exitCode } = timing;
      await doing(what, () =>
        deps.store.insertScriptTiming({ scriptId, startedAtUs, endedAtUs, exitCode, stage, status }),
      );
      return {};
    },
  };
}

function timeOf(time: Timestamp | undefined, which: string): number {
  const isSet = time !== undefined && time.seconds >= yearOneSeconds && time.seconds <= 253_402_300_799n;
  const isZero = time?.seconds === yearOneSeconds && time.nanos === 0;
  if (!isSet || isZero) throw new HandlerFailure(`script ${which} time is required and cannot be zero`);
  return timestampUs(time);
}
