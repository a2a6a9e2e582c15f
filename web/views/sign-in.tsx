import { useState } from "preact/hooks";
import { signedOutWhy, signIn } from "../token.js";

/** Asks for the admin token. */
export function SignIn() {
  const [token, setToken] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim() !== "") signIn(token.trim());
  };
  return (
    <main class="sign-in">
      <h1>
        <img src="/page/icon.svg" alt="" width="32" height="32" /> agentwire
      </h1>
      <form onSubmit={submit}>
        <label for="token">Admin token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={token}
          aria-describedby="token-help"
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <p id="token-help" class="quiet">
          <code>agentwire serve</code> prints a link that has it, and takes one of yours with{" "}
          <code>--admin-token</code>. This tab keeps it until it is closed.
        </p>
        <button type="submit" class="primary">
          Sign in
        </button>
        <p role="alert" class="problem">
          {signedOutWhy.value}
        </p>
      </form>
    </main>
  );
}
