export { type DerpMapFileOptions, derpMapFile } from "./derp-map-file.js";
export { DerpMapError } from "./derp-map-json.js";
export {
  type DerpMapFromOptions,
  type DerpMapOption,
  type DerpMapSource,
  derpMapFrom,
} from "./derp-map-source.js";
export { type DerpMapUrlOptions, derpMapUrl } from "./derp-map-url.js";
export type { OnDerpMapProblem } from "./listeners.js";
export type { ClosableDerpMap } from "./polled-derp-map.js";
export { sameDerpMap } from "./same-derp-map.js";
