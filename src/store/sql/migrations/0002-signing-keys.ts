import type { SqlTypes } from "../engine.js";

/** The keys that servers sign with. */
export function createSigningKeys({ text, bytes }: SqlTypes): string[] {
  return [
    `create table signing_keys (
      purpose ${text} not null,
      sequence bigint not null,
      secret ${bytes} not null,
      created_at_us bigint not null,
      signs_until_us bigint not null,
      expires_at_us bigint not null,
      primary key (purpose, sequence)
    )`,
  ];
}
