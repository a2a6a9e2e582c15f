import { unlessAborted } from "../until-aborted.js";

interface Run<T> {
  result: Promise<T>;
  abort: AbortController;
  waiting: number;
}

/** Work that callers at the same time share. It ends when the last of them has left. */
export class SharedWork<T> {
  readonly #work: (signal: AbortSignal) => Promise<T>;
  #run: Run<T> | undefined;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#work = work;
  }

  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  /**
   * The result of the work that is under way, or of new work.
   * @throws the signal's reason when that ends; the work goes on for others.
   */
  async result(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#run ??= this.#start();
    const run = this.#run;
    run.waiting++;
    try {
      return await unlessAborted(run.result, signal);
    } finally {
      run.waiting--;
      if (run.waiting === 0) this.#end(run);
    }
  }

  #start(): Run<T> {
    const abort = new AbortController();
    const run: Run<T> = { result: this.#work(abort.signal), abort, waiting: 0 };
    const end = () => this.#end(run);
    run.result.then(end, end);
    return run;
  }

  /** Who comes now starts anew. */
  #end(run: Run<T>): void {
    if (this.#run === run) this.#run = undefined;
    run.abort.abort(new Error("nobody waits for it any more"));
  }
}
