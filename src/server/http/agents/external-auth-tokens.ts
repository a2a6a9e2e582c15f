/** A service, such as a git host, that users are linked with. */
export interface ExternalAuthProvider {
  id: string;
  /** `github`, `gitlab`, `bitbucket-cloud` …; any other word for other services. */
  type: string;
  /** A regular expression; URLs that it matches are this provider's. Without it the provider is asked for by its id. */
  urlPattern?: string;
  /** True while the service takes the token. */
  validate(accessToken: string): Promise<boolean>;
  /**
   * Gets a new token for one that has expired. Throws when the service cannot be asked; that it refuses is an answer,
   * after which it is not asked again until the user links anew. Without it tokens are not renewed.
   */
  refresh?(refreshToken: string): Promise<RefreshedToken | RefusedRefresh>;
}

/** What a service gave. */
export interface RefreshedToken {
  accessToken: string;
  /** Empty for none. */
  refreshToken: string;
  /** Undefined for a token that does not expire. */
  expiresAtUs: number | undefined;
}

/** That a service gives no more tokens for a link, and why. */
export interface RefusedRefresh {
  refused: string;
}

/** A user's link with a provider. */
export interface ExternalAuthLink extends RefreshedToken {
  ownerId: string;
  providerId: string;
  /** What the service sent besides; `token_extra` of answers. */
  extra: Readonly<Record<string, unknown>> | undefined;
  /** Why the service refused to renew it; undefined while it has not. Linking anew clears it. */
  refreshRefused: string | undefined;
}

/** Where agents get tokens of their user for other services. S5.17–S5.23. */
export interface ExternalAuth {
  /** Where several match a URL, the last one wins. */
  providers: readonly ExternalAuthProvider[];
  /** The link of a user; undefined when there is none. */
  link(ownerId: string, providerId: string): Promise<ExternalAuthLink | undefined>;
  /** Keeps a link that was renewed, or refused. */
  saveLink(link: ExternalAuthLink): Promise<void>;
}

/** Gives tokens that can be used, renewed where they have expired. */
export class ExternalAuthTokens {
  readonly #auth: ExternalAuth;
  readonly #nowUs: () => number;
  /** Renewals under way, by owner and provider: a refresh token is mostly worth something only once. */
  readonly #renewals = new Map<string, Promise<ExternalAuthLink | undefined>>();

  constructor(auth: ExternalAuth, nowUs: () => number) {
    this.#auth = auth;
    this.#nowUs = nowUs;
  }

  /** True for a link whose token the service takes no more by its own word. */
  hasExpired({ expiresAtUs }: ExternalAuthLink): boolean {
    return expiresAtUs !== undefined && expiresAtUs <= this.#nowUs();
  }

  /**
   * A link as it can be used.
   * @returns undefined when the user has to link anew.
   * @throws what the service or the store throws.
   */
  async usable(
    link: ExternalAuthLink,
    provider: ExternalAuthProvider,
  ): Promise<ExternalAuthLink | undefined> {
    const fresh = this.hasExpired(link) ? await this.#renewed(link, provider) : link;
    return fresh !== undefined && (await provider.validate(fresh.accessToken)) ? fresh : undefined;
  }

  #renewed(link: ExternalAuthLink, provider: ExternalAuthProvider): Promise<ExternalAuthLink | undefined> {
    const key = `${link.ownerId}\n${link.providerId}`;
    const underWay = this.#renewals.get(key);
    if (underWay !== undefined) return underWay;
    const renewal = this.#renew(link, provider).finally(() => this.#renewals.delete(key));
    this.#renewals.set(key, renewal);
    return renewal;
  }

  /** Looks again what is there: somebody may have renewed it since. */
  async #renew(
    { ownerId, providerId }: ExternalAuthLink,
    provider: ExternalAuthProvider,
  ): Promise<ExternalAuthLink | undefined> {
    const link = await this.#auth.link(ownerId, providerId);
    if (link === undefined || !this.hasExpired(link)) return link;
    if (provider.refresh === undefined || link.refreshToken === "" || link.refreshRefused !== undefined) {
      return undefined;
    }
    const answer = await provider.refresh(link.refreshToken);
    if ("refused" in answer) {
      await this.#auth.saveLink({ ...link, refreshRefused: answer.refused });
      return undefined;
    }
    const renewed = { ...link, ...answer, refreshRefused: undefined };
    await this.#auth.saveLink(renewed);
    return renewed;
  }
}
