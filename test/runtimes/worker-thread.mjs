import { askWorker } from "./in-worker.mjs";

const { CODER_AGENT_URL: url, CODER_AGENT_TOKEN: token, LABEL: label } = process.env;
const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
console.log(
  await askWorker(worker, { url, token }, label),
  import.meta.resolve("agentwire/client").split("/dist/")[1],
);
