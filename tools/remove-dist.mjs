// Removes what an earlier build has left, so that nothing is in the package that is not built any more.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
