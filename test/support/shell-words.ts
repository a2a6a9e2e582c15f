/** A simple command of a line for a shell: its words, without redirections. */
export type ShellCommand = string[];

/**
 * The commands of a line as a POSIX shell reads it, as far as examples need it: quotes, pipes, lists and redirections.
 * Expansions stay as they are.
 */
export function shellCommands(line: string): ShellCommand[] {
  const token =
    /\s*(\|\||&&|[|;&]|[<>]+&?\d*)|\s+|((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"|;&<>\\])+)|#.*$/gy;
  const commands: ShellCommand[] = [[]];
  let isRedirection = false;
  for (const [, operator, word] of line.matchAll(token)) {
    if (operator !== undefined) {
      isRedirection = /[<>]/.test(operator) && !/&\d$/.test(operator);
      if (!/[<>]/.test(operator)) commands.push([]);
    } else if (word !== undefined) {
      if (!isRedirection) commands.at(-1)?.push(unquoted(word));
      isRedirection = false;
    }
  }
  return commands.filter((words) => words.length > 0);
}

function unquoted(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g,
    (_all, single: string | undefined, double: string | undefined, escaped: string | undefined) =>
      single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? "",
  );
}
