import { rmSync } from "node:fs";
import { defineConfig, type UserConfig } from "tsdown";

const outDir = "dist";
// both builds write here, so neither may clean it
rmSync(outDir, { recursive: true, force: true });

const common: UserConfig = {
  // one file for each source file: bundlers take what they need, stack traces show where
  unbundle: true,
  target: "es2022",
  platform: "node",
  fixedExtension: false,
  root: "src",
  outDir,
  clean: false,
  report: false,
  logLevel: "warn",
  inputOptions: { checks: { pluginTimings: false } },
};

export default defineConfig([
  {
    ...common,
    entry: [
      "src/index.ts",
      "src/index-node.ts",
      "src/{codec,rpc,version,server,store,local,agent}/index.ts",
      "src/store/sql/index.ts",
      "src/{transport,client,client/agent}/index.ts",
      "src/{transport,client,client/agent}/index-node.ts",
      "src/gen/coder/**/*_{pb,codec}.ts",
      "src/gen/agentwire/admin/**/*_pb.ts",
    ],
    format: ["esm", "cjs"],
    dts: true,
  },
  { ...common, entry: ["src/cli/main.ts"], format: "esm", dts: false },
]);
