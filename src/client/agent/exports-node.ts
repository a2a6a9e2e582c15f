/** What clients of the agent service export on Node besides. */

export type { NodeDialOptions, NodeSocketOptions } from "../dial/dial-options.js";
export type { NodeFetchOptions } from "../http/fetch-node.js";
export { nodeFetch } from "../http/fetch-node.js";
export type { LineLogger } from "../logs/line-writer-node.js";
export { lineStream } from "../logs/line-writer-node.js";
export type { TokenEnvironmentOptions } from "../tokens/token-environment-node.js";
export { authKindOf, authKinds, tokenSourceFromEnvironment } from "../tokens/token-environment-node.js";
export { tokenFile } from "../tokens/token-file-node.js";
