import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { doing } from "./failure.js";

/** GetServiceBanner and its successor GetAnnouncementBanners. S3.24–S3.26. */
export function bannerHandlers(deps: HandlerDeps): AgentHandlers {
  const banners = () => doing("fetch appearance", async () => deps.banners());
  return {
    async getServiceBanner() {
      const [first] = await banners();
      return first ?? {};
    },
    async getAnnouncementBanners() {
      return { announcementBanners: [...(await banners())] };
    },
  };
}
