import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { HttpError } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { silentServer } from "../../support/http-servers.js";
import { type Answer, clouds, expectNoSecrets, machine, metadataOf, secrets } from "./fake-cloud.js";

const never = new AbortController().signal;

async function refusal(promise: Promise<unknown>): Promise<HttpError> {
  const error = await failure(promise);
  expect(error).toBeInstanceOf(HttpError);
  expectNoSecrets(error as HttpError);
  return error as HttpError;
}

const refuses =
  (status: number, json: object): Answer =>
  (_request, response) => {
    response
      .writeHead(status, { "Content-Type": "application/json; charset=utf-8" })
      .end(JSON.stringify(json));
  };

describe.each(clouds)("the identity of a machine of $name, C1.31–C1.37", (cloud) => {
  const lines = [...cloud.metadata.map(({ line }) => line), cloud.login.line];

  it("is asked for and exchanged, with these requests in this order", async () => {
    const { provider, seen } = await machine(cloud);
    expect(await provider.get(never)).toBe(secrets.sessionToken);
    expect(seen.map(({ line }) => line)).toEqual(lines);
    cloud.metadata.forEach(({ headers }, index) => {
      expect(seen[index]?.headers).toMatchObject(headers);
      expect(seen[index]?.body).toBe("");
      expect(seen[index]?.headers).not.toHaveProperty("coder-session-token");
    });
    const login = seen.at(-1);
    expect(login?.headers["content-type"]).toBe("application/json");
    expect(login?.headers).not.toHaveProperty("coder-session-token");
    expect(login?.body).toBe(`${JSON.stringify(cloud.login.body)}\n`);
  });

  it.each([
    ["api", { agent_name: "api" }],
    [" api\n", { agent_name: "api" }],
    ["", {}],
    [" \t", {}],
  ])("has the name %j of the agent as %j (C1.35)", async (agentName, sent) => {
    const { provider, seen } = await machine(cloud, { agentName });
    await provider.refresh(never);
    expect(JSON.parse(seen.at(-1)?.body ?? "")).toEqual({ ...cloud.login.body, ...sent });
  });

  it("sends further headers to both services (C1.37)", async () => {
    const { provider, seen } = await machine(cloud, { headers: { "X-One": "1" } });
    await provider.refresh(never);
    expect(seen.map(({ headers }) => headers["x-one"])).toEqual(seen.map(() => "1"));
  });

  it("is kept by get, and exchanged anew by each refresh", async () => {
    const { provider, seen } = await machine(cloud);
    await provider.get(never);
    await provider.get(never);
    expect(seen).toHaveLength(lines.length);
    await provider.refresh(never);
    await provider.refresh(never);
    expect(seen).toHaveLength(3 * lines.length);
  });

  it.each([
    [409, 'Multiple agents found with instance ID "i-1". Set CODER_AGENT_NAME to one of: api, web'],
    [404, 'Instance with id "i-1" not found.'],
    [404, 'No agent found with instance ID "i-1" and name "x".'],
    [400, 'Resource found for id "i-1", but isn\'t registered on the latest history.'],
    [401, "Invalid identity."],
  ])("that is refused with %d has the server's words (C1.38): %s", async (status, message) => {
    const { provider } = await machine(cloud, { login: refuses(status, { message, detail: "why" }) });
    const error = await refusal(provider.refresh(never));
    expect(error).toMatchObject({ status, reason: message, detail: "why", layer: "http" });
    // a lazy exchange fails too: no empty token
    expect(await refusal(provider.get(never))).toMatchObject({ status, reason: message });
  });

  it("is hidden where a server, or a proxy before it, repeats it", async () => {
    for (const contentType of ["text/html", "application/json"]) {
      const { provider } = await machine(cloud, {
        login: ({ body }, response) => {
          response.writeHead(502, { "Content-Type": contentType });
          response.end(
            contentType === "text/html" ? `<p>${body}` : JSON.stringify({ message: body, detail: "d" }),
          );
        },
      });
      const error = await refusal(provider.refresh(never));
      expect(error.status).toBe(502);
      expect(error.rawMessage).toContain("[hidden]");
    }
  });

  it.each([
    ["no JSON", "oops"],
    ["no object", "[]"],
    ["no token", "{}"],
    ["an empty token", '{"session_token":""}'],
    ["a token that is a number", '{"session_token":7}'],
    ["half of an answer", `{"session_token":"${secrets.sessionToken}`],
  ])("with %s in the answer is an error", async (_what, answer) => {
    const { provider } = await machine(cloud, {
      login: (_request, response) =>
        response.writeHead(200, { "Content-Type": "application/json" }).end(answer),
    });
    expect(await refusal(provider.refresh(never))).toMatchObject({ code: Code.Internal });
  });

  it("cannot be had where there is no metadata service: says which, and where", async () => {
    const { server, url: gone } = await silentServer();
    await new Promise((resolve) => server.close(resolve));
    const provider = cloud.provider({ url: gone, metadata: { url: gone } });
    const error = await refusal(provider.refresh(never));
    expect(error).toMatchObject({ code: Code.Unavailable, status: undefined });
    expect(error.rawMessage).toContain(
      `the ${cloud.name} metadata service: ${lines[0]?.split("?")[0]?.replace(" ", ` ${gone}`)}: `,
    );
    expect(error.rawMessage).toContain("ECONNREFUSED");
  });

  it.each([
    ["refuses", (response) => response.writeHead(403).end(), "status 403; is this a machine of"],
    [
      "sends on to another place",
      (response) => response.writeHead(302, { Location: "/latest" }).end(),
      "status 302",
    ],
    ["says nothing", (response) => response.writeHead(200).end(" \n"), "the answer is empty"],
    [
      "says too much",
      (response) => response.writeHead(200).end("x".repeat(100_000)),
      "longer than 65536 bytes",
    ],
    ["breaks off", (response) => void response.write("x", () => response.destroy()), "metadata service"],
  ] as [string, (response: Parameters<Answer>[1]) => void, string][])(
    "a metadata service that %s is an error, and the control plane is not asked",
    async (_what, answer, said) => {
      for (let step = 0; step < cloud.metadata.length; step++) {
        let asked = 0;
        const { provider, seen } = await machine(cloud, {
          metadata: (request, response) =>
            asked++ === step ? answer(response) : metadataOf(cloud)(request, response),
        });
        const error = await refusal(provider.refresh(never));
        expect(error.rawMessage).toContain(said);
        expect(error.rawMessage).toContain(cloud.name);
        expect(seen.map(({ line }) => line)).toEqual(lines.slice(0, step + 1));
      }
    },
  );

  it("a metadata service that says nothing at all is given up in time, and with the caller", async () => {
    const { url } = await silentServer();
    const hanging = cloud.provider({ url, metadata: { url, timeoutMs: 30 } });
    expect(await refusal(hanging.refresh(never))).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: expect.stringContaining("no answer within 30 ms"),
    });
    const abort = new AbortController();
    const left = cloud.provider({ url, metadata: { url } }).refresh(abort.signal);
    abort.abort(new Error("had enough"));
    await expect(left).rejects.toThrow("had enough");
  });

  it("a lazy exchange has a limit of its own", async () => {
    const { url } = await silentServer();
    const provider = cloud.provider({ url, metadata: { url }, lazyTimeoutMs: 30 });
    expect(await refusal(provider.get(never))).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: `${cloud.name} instance identity: no answer within 30 ms`,
    });
  });

  it("the path of a metadata service is kept as a prefix", async () => {
    const asked: string[] = [];
    const { provider } = await machine(cloud, {
      metadata: ({ line }, response) => {
        asked.push(line);
        response.writeHead(500).end();
      },
    });
    await refusal(provider.refresh(never));
    const { metadataUrl } = await machine(cloud);
    expect(asked).toEqual([lines[0]]);
    const prefixed = cloud.provider({ url: metadataUrl, metadata: { url: `${metadataUrl}/prefix/` } });
    expect((await refusal(prefixed.refresh(never))).rawMessage).toContain(`${metadataUrl}/prefix/`);
  });
});

describe("what only some clouds have", () => {
  it("AWS: a metadata token that no header can have is an error without it", async () => {
    const [aws] = clouds;
    if (aws === undefined) throw new Error("no AWS");
    const { provider } = await machine(aws, {
      metadata: (_request, response) => response.end(`${secrets.metadataToken}\nmore`),
    });
    expect((await refusal(provider.refresh(never))).reason).toBe(
      "its token has characters that no header can have",
    );
  });

  it.each(["oops", "[]", '{"signature":"s"}', '{"signature":1,"encoding":"pkcs7"}'])(
    "Azure: attested data that are %s are an error",
    async (answer) => {
      const azure = clouds[1];
      if (azure === undefined) throw new Error("no Azure");
      const { provider } = await machine(azure, { metadata: (_request, response) => response.end(answer) });
      expect((await refusal(provider.refresh(never))).rawMessage).toContain("the Azure metadata service");
    },
  );

  it("Google: another service account may be shown, and failures begin as the reference's (C1.34)", async () => {
    const google = clouds[2];
    if (google === undefined) throw new Error("no Google");
    const { provider, seen } = await machine(google, { serviceAccount: "a/b@example.com" });
    expect((await refusal(provider.refresh(never))).rawMessage).toMatch(
      /^get metadata identity: the Google Cloud/,
    );
    expect(seen[0]?.line).toContain("/service-accounts/a%2Fb@example.com/identity?audience=coder");
  });

  it("the metadata service is where clouds have it, and is not asked with the fetch for the control plane", async () => {
    for (const cloud of clouds) {
      const asked: string[] = [];
      const metadataFetch = async (input: unknown) => {
        asked.push(String(input));
        return new Response("", { status: 500 });
      };
      const provider = cloud.provider({
        url: "http://127.0.0.1:9",
        fetch: () => Promise.reject(new Error("asked with the wrong fetch")),
        metadata: { fetch: metadataFetch as typeof fetch },
      });
      await refusal(provider.refresh(never));
      expect(asked).toEqual([`http://169.254.169.254${cloud.metadata[0]?.line.split(" ")[1]}`]);
    }
  });
});
