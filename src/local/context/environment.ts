/** What the environment says about the workspace's context. C4.76. */
export interface ContextEnvironment {
  /** More roots; relative to the working directory. */
  instructionsDirs: readonly string[];
  /** The name of instruction files in place of the usual ones. */
  instructionsFile: string | undefined;
  /** More directories whose directories are skills; relative to the working directory. */
  skillsDirs: readonly string[];
  /** The name of a skill's description file in place of `SKILL.md`. */
  skillMetaFile: string | undefined;
  /** More MCP configs; relative to the working directory. */
  mcpConfigFiles: readonly string[];
}

/**
 * Reads what the environment says about the context, and removes it there, so that what the agent starts does not
 * see it. Call it once, at the start. Lists are separated by commas; an empty value is none. C4.76.
 * @param env the process's own by default.
 */
export function takeContextEnvironment(env: NodeJS.ProcessEnv = process.env): ContextEnvironment {
  const take = (name: string): string => {
    const value = env[`CODER_AGENT_EXP_${name}`] ?? "";
    delete env[`CODER_AGENT_EXP_${name}`];
    return value.trim();
  };
  const takeList = (name: string): string[] =>
    take(name)
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "");
  return {
    instructionsDirs: takeList("INSTRUCTIONS_DIRS"),
    instructionsFile: take("INSTRUCTIONS_FILE") || undefined,
    skillsDirs: takeList("SKILLS_DIRS"),
    skillMetaFile: take("SKILL_META_FILE") || undefined,
    mcpConfigFiles: takeList("MCP_CONFIG_FILES"),
  };
}
