const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", arm: "armv7" };
const systems: Readonly<Record<string, string>> = { win32: "windows" };

/** This machine's architecture, in the words of Go, which the API uses. */
export function goArchitecture(): string {
  return architectures[process.arch] ?? process.arch;
}

/** This machine's operating system, in the words of Go. */
export function goOperatingSystem(): string {
  return systems[process.platform] ?? process.platform;
}
