import { onTestFinished } from "vitest";
import { startTestPlane, type TestPlane, type TestPlaneOptions } from "../../src/testing/index.js";

/** A control plane of `agentwire/testing` that ends with the test. */
export async function testPlane(options: TestPlaneOptions = {}): Promise<TestPlane> {
  const plane = await startTestPlane(options);
  onTestFinished(() => plane.close());
  return plane;
}
