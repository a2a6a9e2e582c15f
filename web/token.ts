import { signal } from "@preact/signals";

const key = "agentwire.admin-token";

/** The admin token; an empty text until there is one. */
export const adminToken = signal("");

/** Why there is none any more, for people. */
export const signedOutWhy = signal("");

/** Takes the token out of the address bar, or from where this tab keeps it until it is closed. */
export function takeToken(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) {
    adminToken.value = sessionStorage.getItem(key) ?? "";
    return;
  }
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  signIn(given);
}

/** Uses a token, in this tab only. */
export function signIn(token: string): void {
  sessionStorage.setItem(key, token);
  signedOutWhy.value = "";
  adminToken.value = token;
}

/** Forgets the token. @param why for people; an empty text where they did it. */
export function signOut(why = ""): void {
  sessionStorage.removeItem(key);
  signedOutWhy.value = why;
  adminToken.value = "";
}
