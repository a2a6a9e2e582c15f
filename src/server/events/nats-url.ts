/** Where servers of NATS are and who asks; what the package calls them. */
export interface NatsServers {
  servers: string[];
  user?: string;
  pass?: string;
  token?: string;
  tls?: Record<string, never>;
}

const howTo = "The URL of NATS cannot be read: write nats://user:password@host:4222, or tls:// for TLS";

/**
 * Reads one URL or several with commas between. The package looks at hosts only, so that name and password, or a token
 * where the password would be missing, are taken from the first that has them.
 * @throws Error, without the URL since it may have a password in it, when one cannot be read.
 */
export function natsServersOf(url: string): NatsServers {
  const urls = url.split(",").map((each) => parsed(each.trim()));
  const servers = urls.map(({ host }) => host);
  const tls = urls.some(({ protocol }) => protocol === "tls:") ? { tls: {} } : {};
  const withName = urls.find(({ username }) => username !== "");
  if (withName === undefined) return { servers, ...tls };
  const [user, pass] = [withName.username, withName.password].map(decodeURIComponent);
  if (!pass) return { servers, token: user ?? "", ...tls };
  return { servers, user: user ?? "", pass, ...tls };
}

function parsed(text: string): URL {
  let url: URL;
  try {
    url = new URL(text.includes("://") ? text : `nats://${text}`);
  } catch {
    throw new Error(howTo);
  }
  if ((url.protocol !== "nats:" && url.protocol !== "tls:") || url.host === "") throw new Error(howTo);
  return url;
}
