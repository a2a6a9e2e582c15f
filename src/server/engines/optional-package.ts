/**
 * Loads a package that only some use.
 * @param what needs it, such as `Events over PostgreSQL`.
 * @throws Error, one sentence with the command that installs the package, when it is not there.
 */
export async function loadOptional<Module>(
  what: string,
  packageName: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(`${what} need a package that is not installed: npm install ${packageName}`);
  }
}
