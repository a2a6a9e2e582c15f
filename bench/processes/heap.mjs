// Imported first where the processes are to have a heap as that of an application: V8 collects what networks hand
// over, which is outside of the heap, by how large the heap is. `AGENTWIRE_BENCH_HEAP_MB` says how much more it has.
const bytesOfOne = 164;
const count = (Number(process.env.AGENTWIRE_BENCH_HEAP_MB) * 1e6) / bytesOfOne;

globalThis.agentwireBenchHeap = Array.from({ length: count }, (_, i) => ({
  number: i,
  inner: { number: i + 0.5 },
  list: [i, i + 1],
}));
