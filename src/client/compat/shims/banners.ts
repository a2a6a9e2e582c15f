import { create } from "@bufbuild/protobuf";
import {
  GetAnnouncementBannersResponseSchema,
  type ServiceBanner,
} from "../../../gen/coder/agent/v2/agent_pb.js";
import { isUnimplemented } from "../../../rpc/index.js";
import type { Shim } from "./shim.js";

/**
 * Servers of API 2.0 have one banner, which `GetServiceBanner` gives; where there is none, all of it is empty. C1.29,
 * C10.34.
 */
export const bannersFromServiceBanner: Shim<"bannersFromServiceBanner"> = {
  name: "bannersFromServiceBanner",
  method: "getAnnouncementBanners",
  way: "GetServiceBanner",
  isOverHttp: false,
  isFor: isUnimplemented,
  async call(_request, { agent }, options) {
    const banner = await agent().getServiceBanner({}, options);
    const { enabled, message, backgroundColor } = banner;
    return create(GetAnnouncementBannersResponseSchema, {
      announcementBanners: isEmpty(banner) ? [] : [{ enabled, message, backgroundColor }],
    });
  },
};

function isEmpty({ enabled, message, backgroundColor }: ServiceBanner): boolean {
  return !enabled && message === "" && backgroundColor === "";
}
