import type { Answer } from "./http.js";
import { Problem, type Seen } from "./report.js";

/** `ID-SECRET`: how the tokens of users' sessions are written. */
const userTokenForm = /^[A-Za-z0-9]{10}-[A-Za-z0-9]{22}$/;

/** A token, and how the endpoints of agents and of users' programs answer to it. */
export interface TokenTrial {
  token: string;
  agents: Answer;
  /** Asked only where agents are refused. */
  users(): Promise<Answer>;
}

/** Whether a token is one of an agent that may connect. @throws Problem when it is not, with what it is instead. */
export async function judgeToken({ token, agents, users }: TokenTrial): Promise<Seen<void>> {
  const { status, message = "" } = agents;
  const facts = { agentsStatus: status };
  if (status === 401) throw await refusedToken(token, agents, await users());
  if (status === 403) {
    const advice = "the token is known, but may not do this: ask whoever runs the control plane";
    throw new Problem(`the server forbids the connection (403): ${message}`, advice, facts);
  }
  if (status === 429) {
    throw new Problem("the server refuses requests because there are too many (429)", "wait a minute", facts);
  }
  if (status >= 500) {
    const text = [message, agents.detail].filter((one) => one !== "").join("; ");
    throw new Problem(
      `the server failed when it looked at the token: ${status} ${text}`,
      "this is the server's own trouble, with its database for example: look at its logs",
      facts,
    );
  }
  // 426 says that all was right but for the upgrade, and 400 that the version was not
  if (status !== 426 && (status !== 400 || agents.message === undefined)) {
    throw new Problem(
      `with a token the answer is another one: ${status} ${message}`,
      "something between may look at tokens too: ask whoever runs the proxy before the control plane",
      facts,
    );
  }
  return { value: undefined, saw: "the token is an agent's, and the server takes it", facts };
}

async function refusedToken(token: string, agents: Answer, users: Answer): Promise<Problem> {
  const { message = "", detail } = agents;
  const facts = { agentsStatus: agents.status, usersStatus: users.status };
  const isUsers = users.status !== 401 && users.status !== 403 && users.status !== 404 && users.status < 500;
  if (isUsers || userTokenForm.test(token)) {
    const certainty = isUsers
      ? "this is the token of a user, whose endpoint takes it"
      : "this looks like the token of a user";
    return new Problem(
      `${certainty}; agents' endpoint answers: ${message}`,
      "agents have tokens of their own: in a workspace CODER_AGENT_TOKEN; a user's is for call --tailnet",
      facts,
    );
  }
  if (/must be provided/.test(message)) {
    return new Problem(
      "the token was sent and did not arrive: the server says that there is none",
      "a proxy on the way removes the header Coder-Session-Token: let it pass",
      facts,
    );
  }
  if (/invalid/i.test(message)) {
    return new Problem(
      `this is no agent's token, which is a UUID: it has ${token.length} characters. ${message}`,
      "look where the token comes from: part of it may be missing, or there are quotes around it",
      facts,
    );
  }
  return new Problem(
    `the server does not know the token: ${[message, detail].filter(Boolean).join(" ")}`,
    "the workspace may have been rebuilt or deleted since, or the token is of another control plane: take the present one",
    facts,
  );
}
