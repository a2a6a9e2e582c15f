import { speak } from "./program.mjs";

const { CODER_AGENT_URL: url, CODER_AGENT_TOKEN: token, LABEL: label } = process.env;
console.log(await speak({ url, token }, label), import.meta.resolve("agentwire/client").split("/dist/")[1]);
