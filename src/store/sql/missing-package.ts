/** What somebody reads who has not installed an optional package. */
export function missingPackage(what: string, name: string, cause: unknown): Error {
  return new Error(`${what} needs the package ${name}: install it with "npm install ${name}"`, { cause });
}
