import type { Interceptor } from "@connectrpc/connect";

/** The first interceptor of a list is the outermost: it sees a request first and its answer last. */
export function intercept(interceptors: readonly Interceptor[], innermost: ReturnType<Interceptor>) {
  return interceptors.reduceRight<ReturnType<Interceptor>>(
    (next, interceptor) => interceptor(next),
    innermost,
  );
}
