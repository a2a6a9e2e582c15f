import type { IncomingMessage } from "node:http";
import { isSecretName } from "../../observe/redact.js";

/** What of a request is a secret, to be hidden wherever it comes again: in answers, errors, texts. */
export function secretsOf({ headers, url = "" }: Pick<IncomingMessage, "headers" | "url">): string[] {
  const secrets: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!isSecretName(name)) continue;
    for (const one of Array.isArray(value) ? value : [value ?? ""]) {
      secrets.push(one.replace(/^\w+ +/, ""));
      if (/cookie/i.test(name))
        secrets.push(...one.split(";").map((pair) => pair.replace(/^[^=]*=/, "").trim()));
    }
  }
  const query = url.includes("?") ? url.slice(url.indexOf("?")) : "";
  for (const [name, value] of new URLSearchParams(query)) if (isSecretName(name)) secrets.push(value);
  // a secret that is part of another goes after it
  return secrets.sort((a, b) => b.length - a.length);
}
