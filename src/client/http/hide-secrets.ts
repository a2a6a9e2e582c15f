/** Shorter texts are no secrets, and would be found everywhere. */
const minSecretCharacters = 8;

/**
 * A server, or a proxy before it, may repeat what it was sent: a text without the secrets of the request, as they are,
 * in JSON, and in JSON in JSON.
 */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) {
    const trimmed = secret.trim();
    if (trimmed.length < minSecretCharacters) continue;
    for (const form of [escaped(escaped(trimmed)), escaped(trimmed), trimmed]) {
      shown = shown.replaceAll(form, "[hidden]");
    }
  }
  return shown;
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
