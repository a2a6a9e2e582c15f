/** What most programs need: dialling a control plane. More is in `agentwire/server`, `agentwire/rpc` and so on. */
export * from "./client/index.js";
