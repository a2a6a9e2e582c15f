/** Logging in with what a cloud says of a machine. */

export { identityHandlers } from "./handlers.js";
export type {
  AwsIdentityOptions,
  AzureIdentityOptions,
  GoogleIdentityOptions,
  InstanceIdentityOptions,
} from "./options.js";
export { identityRoutes } from "./routes.js";
