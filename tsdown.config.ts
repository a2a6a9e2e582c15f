import { defineConfig } from "tsdown";

export default defineConfig({
  entry: [
    "src/index.ts",
    "src/index-node.ts",
    "src/{codec,rpc,version,server,store}/index.ts",
    "src/{transport,client}/index.ts",
    "src/{transport,client}/index-node.ts",
    "src/gen/coder/**/*_pb.ts",
    "src/cli/main.ts",
  ],
  // one file for each source file: bundlers take what they need, stack traces show where
  unbundle: true,
  format: ["esm", "cjs"],
  dts: true,
  target: "es2022",
  platform: "node",
  fixedExtension: false,
  outDir: "dist",
  clean: true,
  report: false,
  logLevel: "warn",
  inputOptions: { checks: { pluginTimings: false } },
});
