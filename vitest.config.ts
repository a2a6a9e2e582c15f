import { defineConfig } from "vitest/config";

// continuous integration counts tests by it
const report = process.env["AGENTWIRE_TEST_REPORT"];

export default defineConfig({
  test: {
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/own-temporary-folder.ts", "test/support/build-go-peer.ts"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"] },
    testTimeout: 20_000 * Math.max(1, Number(process.env["AGENTWIRE_TEST_SCALE"] ?? 1) / 4),
    hookTimeout: 120_000,
  },
});
