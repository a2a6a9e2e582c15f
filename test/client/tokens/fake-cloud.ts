import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import {
  awsIdentity,
  azureIdentity,
  type GoogleIdentityOptions,
  googleIdentity,
  type HttpError,
  type TokenProvider,
} from "../../../src/client/index-node.js";
import { httpServer } from "../../support/http-servers.js";

/** A request as it came. */
export interface Seen {
  /** `GET /path?query`. */
  line: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export type Answer = (request: Seen, response: ServerResponse) => void;

/** A server that keeps what it is asked; what is asked of one follows what was asked of the others. */
export async function recordingServer(seen: Seen[], answer: Answer): Promise<string> {
  const { url } = await httpServer(async (request, response) => {
    const one = {
      line: `${request.method} ${request.url}`,
      headers: request.headers,
      body: await text(request),
    };
    seen.push(one);
    answer(one, response);
  });
  return url;
}

/** What clouds say of a machine here, all of it secret. */
export const secrets = {
  metadataToken: "metadata-token-0123456789",
  signature: "c2lnbmF0dXJlLW9mLWEtZG9jdW1lbnQ=",
  document: '{"region":"r",\n"instanceId":"i-1"}',
  jwt: "aGVhZGVy.Y2xhaW1z.c2lnbmF0dXJl",
  sessionToken: "5e551011-0000-4000-8000-000000000001",
};

/** A cloud under test: its provider, its requests of a metadata service in order, and what its login sends. */
export interface CloudUnderTest {
  provider(options: GoogleIdentityOptions): TokenProvider;
  name: string;
  metadata: readonly { line: string; headers: Record<string, string>; answer: string }[];
  login: { line: string; body: object };
}

const metadataHeader = { "x-aws-ec2-metadata-token": secrets.metadataToken };

export const clouds: readonly CloudUnderTest[] = [
  {
    name: "AWS",
    provider: awsIdentity,
    metadata: [
      {
        line: "PUT /latest/api/token",
        headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600" },
        answer: secrets.metadataToken,
      },
      {
        line: "GET /latest/dynamic/instance-identity/signature",
        headers: metadataHeader,
        answer: secrets.signature,
      },
      {
        line: "GET /latest/dynamic/instance-identity/document",
        headers: metadataHeader,
        answer: secrets.document,
      },
    ],
    login: {
      line: "POST /api/v2/workspaceagents/aws-instance-identity",
      body: { signature: secrets.signature, document: secrets.document },
    },
  },
  {
    name: "Azure",
    provider: azureIdentity,
    metadata: [
      {
        line: "GET /metadata/attested/document?api-version=2020-09-01",
        headers: { metadata: "true" },
        answer: JSON.stringify({ signature: secrets.signature, encoding: "pkcs7" }),
      },
    ],
    login: {
      line: "POST /api/v2/workspaceagents/azure-instance-identity",
      body: { signature: secrets.signature, encoding: "pkcs7" },
    },
  },
  {
    name: "Google Cloud",
    provider: googleIdentity,
    metadata: [
      {
        line: "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=coder&format=full",
        headers: { "metadata-flavor": "Google" },
        answer: secrets.jwt,
      },
    ],
    login: {
      line: "POST /api/v2/workspaceagents/google-instance-identity",
      body: { json_web_token: secrets.jwt },
    },
  },
];

/** A metadata service that knows one cloud, and answers nothing else. */
export function metadataOf(cloud: CloudUnderTest): Answer {
  return ({ line }, response) => {
    const known = cloud.metadata.find((one) => one.line === line);
    response.writeHead(known === undefined ? 404 : 200).end(known?.answer);
  };
}

/** A control plane that gives a token for anything. */
export const givesToken: Answer = (_request, response) => {
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ session_token: secrets.sessionToken }));
};

/** A machine of a cloud, with its metadata service, and a control plane. */
export async function machine(
  cloud: CloudUnderTest,
  {
    metadata = metadataOf(cloud),
    login = givesToken,
    ...options
  }: Partial<Omit<GoogleIdentityOptions, "metadata">> & { metadata?: Answer; login?: Answer } = {},
) {
  const seen: Seen[] = [];
  const metadataUrl = await recordingServer(seen, metadata);
  const url = await recordingServer(seen, login);
  const provider = cloud.provider({ url, metadata: { url: metadataUrl }, ...options });
  return { provider, seen, url, metadataUrl };
}

/** Nothing that is secret is anywhere in an error. */
export function expectNoSecrets(error: HttpError): void {
  const shown = `${error.stack} ${JSON.stringify(error)} ${causes(error)}`;
  for (const secret of Object.values(secrets)) {
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain(JSON.stringify(secret).slice(1, -1));
  }
}

function causes(error: Error): string {
  return error.cause instanceof Error ? `${error.cause.stack} ${causes(error.cause)}` : String(error.cause);
}
