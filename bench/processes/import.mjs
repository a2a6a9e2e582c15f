// How long libraries take to import, in a process that has nothing else. Usage: node import.mjs [LIBRARY…]
const start = performance.now();
for (const library of process.argv.slice(2)) await import(library);
process.stdout.write(`${JSON.stringify({ ms: performance.now() - start })}\n`);
