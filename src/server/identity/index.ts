/** Logging in with what a cloud says of a machine. */
export type { IdentityHandler, IdentityHandlerDeps, JsonAnswer } from "./handlers.js";
export { identityHandlers } from "./handlers.js";
export type {
  AwsIdentityOptions,
  AzureIdentityOptions,
  Cloud,
  GoogleIdentityOptions,
  InstanceIdentityOptions,
} from "./options.js";
export { identityRoutes } from "./routes.js";
