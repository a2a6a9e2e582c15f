import type { SqlTypes } from "../engine.js";

/** Telemetry that belongs to a user, and maybe to no agent. Made anew: not every database can change a column. */
export function telemetryOfUsers({ text, counter }: SqlTypes): string[] {
  return [
    "drop index telemetry_agent",
    "alter table telemetry rename to telemetry_of_agents",
    `create table telemetry (
      entry ${counter},
      id ${text} not null,
      agent_id ${text} references agents (id) on delete cascade,
      user_id ${text},
      peer_id ${text},
      received_at_us bigint not null,
      event ${text} not null
    )`,
    `insert into telemetry (id, agent_id, received_at_us, event)
      select id, agent_id, received_at_us, event from telemetry_of_agents order by entry`,
    "drop table telemetry_of_agents",
    "create index telemetry_agent on telemetry (agent_id, entry)",
  ];
}
