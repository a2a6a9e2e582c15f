/** What stands in place of a secret. */
export const hidden = "[hidden]";

/** Shorter texts are no secrets, and would be found everywhere. */
const minSecretCharacters = 8;

/**
 * A text without secrets that are known, as they are, in JSON, and in JSON in JSON: a server, or a proxy before it, may
 * repeat what it was sent. Those of fewer than eight characters stay.
 */
export function hideKnownSecrets(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) {
    const trimmed = secret.trim();
    if (trimmed.length < minSecretCharacters) continue;
    for (const form of new Set([escaped(escaped(trimmed)), escaped(trimmed), trimmed])) {
      shown = shown.replaceAll(form, hidden);
    }
  }
  return shown;
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
