import { Code } from "@connectrpc/connect";
import { formatUuid } from "../../codec/index.js";
import { AppHealth as WireHealth } from "../../gen/coder/agent/v2/agent_pb.js";
import { goQuote } from "../../rpc/index.js";
import type { AppHealth, AppRecord } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import { reportAppStatus } from "./app-status.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { doing, HandlerFailure, invalidUuid } from "./failure.js";
import { enumText } from "./lifecycle.js";

const healths: Readonly<Partial<Record<WireHealth, AppHealth>>> = {
  [WireHealth.DISABLED]: "disabled",
  [WireHealth.INITIALIZING]: "initializing",
  [WireHealth.HEALTHY]: "healthy",
  [WireHealth.UNHEALTHY]: "unhealthy",
};

/** BatchUpdateAppHealths and UpdateAppStatus. S3.42–S3.54. */
export function appHandlers(deps: HandlerDeps): AgentHandlers {
  const appsOf = (agentId: string) =>
    doing(`get workspace apps by agent ID ${goQuote(agentId)}`, () => deps.store.apps(agentId));

  return {
    async batchUpdateAppHealths({ updates }, context) {
      if (updates.length === 0) return {};
      const { agentId, ownerId, workspaceId } = sessionOf(context);
      const apps = await appsOf(agentId);
      // all are looked at before any is written
      const changes = updates.map(({ id, health }) => {
        const app = appOf(apps, id);
        return { app, health: healthOf(app, health) };
      });
      const changed = changes.filter(({ app, health }) => app.health !== health);
      for (const { app, health } of changed) {
        await doing(`update workspace app health for app ${goQuote(app.id)} (${goQuote(app.slug)})`, () =>
          deps.store.updateAppHealth(app.id, health),
        );
      }
      if (changed.length > 0)
        deps.events.publish({ topic: "workspace", kind: "app_health", ownerId, workspaceId, agentId });
      return {};
    },

    async updateAppStatus({ slug, state, message, uri }, context) {
      await reportAppStatus(deps, sessionOf(context), { slug, state, message, uri });
      return {};
    },
  };
}

function appOf(apps: readonly AppRecord[], id: Uint8Array): AppRecord {
  const text = formatUuid(id);
  if (text === undefined)
    throw new HandlerFailure(`parse workspace app ID ${goQuote(id)}: ${invalidUuid(id)}`);
  const app = apps.find((candidate) => candidate.id === text);
  if (app === undefined) throw new HandlerFailure(`workspace app ID "${text}" not found`, Code.NotFound);
  if (app.healthcheck === undefined) {
    throw new HandlerFailure(
      `workspace app "${text}" (${goQuote(app.slug)}) does not have healthchecks enabled`,
    );
  }
  return app;
}

function healthOf(app: AppRecord, health: WireHealth): AppHealth {
  const known = healths[health];
  if (known !== undefined) return known;
  const name = goQuote(enumText(WireHealth, health));
  throw new HandlerFailure(`unknown health status ${name} for app "${app.id}" (${goQuote(app.slug)})`);
}
