import { pause } from "../../client/pause.js";
import type { Banner } from "../events.js";
import type { AgentHost, AgentPart } from "../part.js";

const defaultIntervalMs = 120_000;

/** How banners are fetched. */
export interface BannerOptions {
  /** How often, after the first time; 120,000 by default. C4.27. */
  intervalMs?: number;
}

/** Fetches the deployment's banners, with each connection and from time to time, and tells when they change. */
export function bannersPart(host: AgentHost, options: BannerOptions = {}): AgentPart {
  let known = "[]";
  return {
    name: "banners",
    async onConnection({ agent }, signal) {
      for (;;) {
        const { announcementBanners } = await agent.getAnnouncementBanners({}, { signal });
        const banners = announcementBanners
          .filter(({ enabled }) => enabled)
          .map(({ message, backgroundColor }): Banner => ({ message, backgroundColor }));
        const text = JSON.stringify(banners);
        if (text !== known) host.tell({ kind: "banners", banners });
        known = text;
        await pause(options.intervalMs ?? defaultIntervalMs, signal);
      }
    },
  };
}
