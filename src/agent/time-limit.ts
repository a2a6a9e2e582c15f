/**
 * Waits for something, but not for ever: what belongs to others may hang.
 * @param options.after the time begins when this ends; at once by default.
 * @throws Error `not <what> within <ms> ms` when the time is over first.
 */
export async function withinTime<T>(
  work: T | Promise<T>,
  options: { ms: number; what: string; after?: AbortSignal },
): Promise<T> {
  const { ms, what, after } = options;
  let timer: NodeJS.Timeout | undefined;
  let begin = () => {};
  const late = new Promise<never>((_resolve, reject) => {
    begin = () => {
      timer = setTimeout(() => reject(new Error(`not ${what} within ${ms} ms`)), ms);
    };
  });
  if (after === undefined || after.aborted) begin();
  else after.addEventListener("abort", begin, { once: true });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    after?.removeEventListener("abort", begin);
  }
}
