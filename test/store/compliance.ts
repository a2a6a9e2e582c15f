import type { ControlPlaneStore } from "../../src/store/index.js";
import { declaredThings } from "./compliance/declared.js";
import { endedThings } from "./compliance/ended.js";
import { subject } from "./compliance/fixtures.js";
import { loggedThings } from "./compliance/logged.js";
import { ownedThings } from "./compliance/owned.js";
import { reportedThings } from "./compliance/reported.js";
import { signingKeys } from "./compliance/signing-keys.js";

/**
 * Everything that the interfaces of a store promise, as tests.
 * @param makeStore gives an empty store; the suite closes it.
 */
export function storeCompliance(name: string, makeStore: () => Promise<ControlPlaneStore>): void {
  const tested = subject(name, makeStore);
  declaredThings(tested);
  reportedThings(tested);
  loggedThings(tested);
  endedThings(tested);
  ownedThings(tested);
  signingKeys(tested);
}
