import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/**
 * Starts the servers as the tests do, except that PostgreSQL keeps what is committed.
 *
 * @returns {Promise<{ postgres: string, nats: string, stop(): Promise<void> }>}
 */
export async function startServers() {
  const { startPostgres } = await support("postgres");
  const { startNats } = await support("nats");
  const postgres = await startPostgres({ durable: true });
  const nats = await startNats();
  const stop = async () => {
    await Promise.all([postgres?.stop(), nats?.stop()]);
  };
  if (postgres === undefined || nats === undefined) {
    await stop();
    throw new Error("bench: PostgreSQL and nats-server are both needed");
  }
  return { postgres: postgres.url, nats: nats.url, stop };
}

/** A file of test/support as JavaScript; bench/out is as deep as test/support, so that its paths lead to the same. */
async function support(/** @type {string} */ name) {
  const source = fileURLToPath(new URL(`../../test/support/${name}.ts`, import.meta.url));
  const target = new URL(`../out/${name}.mjs`, import.meta.url);
  mkdirSync(new URL("../out/", import.meta.url), { recursive: true });
  const { outputText } = ts.transpileModule(readFileSync(source, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  writeFileSync(target, outputText);
  return import(target.href);
}
