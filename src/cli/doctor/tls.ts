import { once } from "node:events";
import { isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { errorText } from "../../rpc/error-text.js";
import { codeOf } from "./network.js";
import { Problem, type Seen } from "./report.js";

const dayMs = 86_400_000;
const soonDays = 14;
const trustAdvice =
  "give the authority's certificate to Node: NODE_EXTRA_CA_CERTS=FILE.pem before the command; or have a certificate of a known authority put on the server";

/** What a certificate says. */
interface Certificate {
  validFromMs: number;
  validToMs: number;
  subject: string;
  issuer: string;
}

/**
 * Looks at the certificate of a server, and whether it speaks HTTP/1.1, which WebSockets need.
 * @param isLax whether this process takes any certificate.
 * @throws Problem
 */
export async function examineTls(
  socket: Socket,
  host: string,
  isLax: boolean,
  signal: AbortSignal,
): Promise<Seen<void>> {
  const secure = connect({
    socket,
    ALPNProtocols: ["http/1.1"],
    // what is wrong with it is to be seen; nothing is sent
    rejectUnauthorized: false,
    ...(isIP(host) === 0 ? { servername: host } : { host }),
  });
  try {
    await once(secure, "secureConnect", { signal });
    return judged(secure, host, isLax);
  } catch (error) {
    throw error instanceof Problem ? error : handshakeProblem(error, host);
  } finally {
    secure.destroy();
    socket.destroy();
  }
}

function judged(socket: TLSSocket, host: string, isLax: boolean): Seen<void> {
  const certificate = certificateOf(socket);
  const days = Math.floor((certificate.validToMs - Date.now()) / dayMs);
  const facts = {
    protocol: socket.getProtocol() ?? "",
    subject: certificate.subject,
    issuer: certificate.issuer,
    validTo: isoTime(certificate.validToMs),
    daysLeft: days,
  };
  const reason: unknown = socket.authorizationError;
  if (!socket.authorized) {
    const problem = certificateProblem(codeIn(reason), host, certificate, facts);
    if (!isLax) throw problem;
    const advice =
      "NODE_TLS_REJECT_UNAUTHORIZED=0 takes any certificate, also that of somebody in between: unset it";
    return { value: undefined, saw: problem.message, advice, facts };
  }
  const saw = `${facts.protocol}, the certificate of ${certificate.subject} is trusted for ${days} more days`;
  const advice =
    days < soonDays ? "have the certificate renewed soon: nobody can connect after that" : undefined;
  return { value: undefined, saw, facts, ...(advice === undefined ? {} : { advice }) };
}

/** Node's types say Error, and it gives the code as text. */
function codeIn(reason: unknown): string {
  return typeof reason === "string" ? reason : (codeOf(reason) ?? errorText(reason));
}

function certificateOf(socket: TLSSocket): Certificate {
  const { valid_from, valid_to, subject, issuer } = socket.getPeerCertificate();
  return {
    validFromMs: Date.parse(valid_from),
    validToMs: Date.parse(valid_to),
    subject: nameIn(subject?.CN),
    issuer: nameIn(issuer?.CN),
  };
}

function nameIn(name: string | string[] | undefined): string {
  return (Array.isArray(name) ? name.join(", ") : name) ?? "no name";
}

function certificateProblem(
  code: string,
  host: string,
  { validFromMs, validToMs, subject, issuer }: Certificate,
  facts: Record<string, string | number>,
): Problem {
  const now = new Date().toISOString();
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return new Problem(
        `the certificate of ${subject} expired on ${isoTime(validToMs)}; it is ${now} here`,
        "if the time here is right, have the certificate renewed; if it is not, set the clock of this machine",
        { ...facts, code },
      );
    case "CERT_NOT_YET_VALID":
      return new Problem(
        `the certificate of ${subject} is not valid before ${isoTime(validFromMs)}; it is ${now} here`,
        "the clock of this machine is probably behind: set it",
        { ...facts, code },
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return new Problem(
        `the certificate is for ${subject} and not for ${host}`,
        "use the name that the certificate has in the URL, or have one for this name put on the server",
        { ...facts, code },
      );
    default:
      return new Problem(
        `the certificate of ${subject}, issued by ${issuer}, is not trusted (${code})`,
        trustAdvice,
        { ...facts, code },
      );
  }
}

function handshakeProblem(error: unknown, host: string): Problem {
  const code = codeOf(error) ?? "";
  const facts = { code };
  if (/NO_APPLICATION_PROTOCOL/.test(code)) {
    return new Problem(
      `${host} speaks HTTP/2 only`,
      "WebSockets need HTTP/1.1: let the server, or the proxy before it, offer http/1.1 too (ALPN)",
      facts,
    );
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code) || code === "EPROTO") {
    return new Problem(
      `${host} does not speak TLS on this port`,
      "if it speaks HTTP without TLS there, begin the URL with http://; or give the port for https",
      facts,
    );
  }
  if (/CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/.test(code)) {
    return new Problem(
      `${host} refused the handshake (${code})`,
      "it may want a certificate of this side, which commands cannot give: a program can (dialAgent's tls)",
      facts,
    );
  }
  return new Problem(
    `the TLS handshake failed: ${errorText(error)}`,
    "something cut the connection: a firewall that looks into TLS, or a server that is no HTTPS server",
    facts,
  );
}

function isoTime(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : "an unknown time";
}
