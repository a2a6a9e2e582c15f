// In a browser: the same in the page, or in a worker of it. The runner says which, and is told how it went.
import { askWorker } from "./in-worker.mjs";
import { speak } from "./program.mjs";

const { token, label, where } = Object.fromEntries(new URLSearchParams(location.search));
const target = { url: location.origin, token };
const answer =
  where === "worker"
    ? askWorker(new Worker("/worker.js", { type: "module" }), target, label)
    : speak(target, label);
const body = await answer.catch((error) => `failed: ${error}`);
await fetch("/done", { method: "POST", body });
