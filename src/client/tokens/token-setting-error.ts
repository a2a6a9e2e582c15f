/** A setting that says where the token comes from. */
export type TokenSetting = "url" | "token" | "tokenFile" | "auth";

/** A setting is missing, or cannot be used. The token is not in it. C1.40. */
export class TokenSettingError extends Error {
  /** Which one. */
  readonly setting: TokenSetting;

  constructor(setting: TokenSetting, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TokenSettingError";
    this.setting = setting;
  }
}
