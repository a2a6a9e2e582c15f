import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import {
  type ContextSnapshot,
  createWorkspaceContext,
  type WorkspaceContext,
  type WorkspaceContextOptions,
} from "../../../src/local/index.js";
import { eventually } from "../../support/control-plane.js";

/** A home directory with a working directory `work` in it; both end with the test. */
export class Workplace {
  readonly home: string;
  readonly work: string;

  private constructor(home: string) {
    this.home = home;
    this.work = join(home, "work");
  }

  static async make(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<Workplace> {
    const home = await realpath(await mkdtemp(join(tmpdir(), "agentwire-context-")));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const place = new Workplace(home);
    await mkdir(place.work);
    await place.write(files);
    return place;
  }

  /** Writes files, by their path below the home directory. */
  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(this.at(path)), { recursive: true });
      await writeFile(this.at(path), content);
    }
  }

  at(path: string): string {
    return join(this.home, path);
  }

  /** A context of it that ends with the test. It is quick to see changes. */
  context(options: WorkspaceContextOptions = {}): WorkspaceContext {
    const context = createWorkspaceContext({
      home: this.home,
      directory: this.work,
      debounceMs: 10,
      ...options,
    });
    onTestFinished(() => context.close());
    return context;
  }

  /** An open one. */
  async opened(options: WorkspaceContextOptions = {}): Promise<WorkspaceContext> {
    const context = this.context(options);
    await context.open();
    return context;
  }

  /** What there is, by path below the home directory, with its kind, and its status where that is not ok. */
  listed({ resources }: ContextSnapshot): string[] {
    return resources
      .map(({ kind, source, status }) => {
        const path = source.startsWith(this.home) ? source.slice(this.home.length + 1) : source;
        return `${kind} ${path}${status === "ok" ? "" : ` ${status}`}`;
      })
      .sort();
  }

  /** Waits until that is what there is. */
  async untilListed(context: WorkspaceContext, expected: readonly string[]): Promise<void> {
    const wanted = JSON.stringify([...expected].sort());
    await eventually(
      () => JSON.stringify(this.listed(context.snapshot())) === wanted,
      `the list is ${wanted}`,
    ).catch((error: Error) => {
      throw new Error(`${error.message}, it is ${JSON.stringify(this.listed(context.snapshot()))}`);
    });
  }
}

/** The description file of a skill. */
export function skillFile(name: string, description = `does ${name}`): string {
  return `---\nname: ${name}\ndescription: ${description}\n---\n\n# ${name}\n`;
}
