import { clearField, type DescField, type DescMessage, isFieldSet, type Message } from "@bufbuild/protobuf";
import { enumValueSince, fieldSince, newestMinor } from "../gen/versions.js";

/** What is newer than the message or the enum that it is in: the minor, by full name and by local name. */
export interface NewerParts {
  readonly fields: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly enumValues: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Takes what is newer out of a message: a copy where there is something, the same message where there is not. */
export type Dropper = <M extends Message>(message: M) => M;

/**
 * Makes what takes the fields and enum values out of messages that a minor of API 2.x does not have yet, at any
 * depth. A field is as if it was never set, and a value is 0, which means unspecified. The message itself is not
 * changed; what the schemas do not know at all stays.
 * @returns undefined when nothing in such a message is newer, so that it need not be looked at. Made once for each
 * message type and minor.
 */
export function dropNewer(schema: DescMessage, minor: number): Dropper | undefined {
  return ofThisApi.dropper(schema, Math.min(Math.max(Math.trunc(minor), 0), newestMinor));
}

/** Makes droppers of tables, and keeps them. */
export class Droppers {
  readonly #newer: NewerParts;
  readonly #plans = new Map<string, Plan | undefined>();

  constructor(newer: NewerParts) {
    this.#newer = newer;
  }

  dropper(schema: DescMessage, minor: number): Dropper | undefined {
    return this.#plan(schema, minor)?.drop;
  }

  #plan(schema: DescMessage, minor: number): Plan | undefined {
    const key = `${minor} ${schema.typeName}`;
    if (this.#plans.has(key)) return this.#plans.get(key);
    if (!this.#hasNewer(schema, minor)) {
      this.#plans.set(key, undefined);
      return undefined;
    }
    const steps: Step[] = [];
    // known before it is whole, since messages may hold their own kind
    const plan: Plan = { drop: (message) => applied(steps, message) };
    this.#plans.set(key, plan);
    for (const field of schema.fields) {
      const change = this.#change(field, minor);
      if (change !== undefined) steps.push({ field, change });
    }
    return plan;
  }

  #change(field: DescField, minor: number): Change | undefined {
    if (this.#isNewer(field, minor)) return "drop";
    const numbers = this.#newerNumbers(field, minor);
    if (numbers !== undefined) return (value) => (numbers.has(value as number) ? 0 : value);
    const plan = field.message === undefined ? undefined : this.#plan(field.message, minor);
    return plan === undefined ? undefined : (value) => plan.drop(value as Message);
  }

  /** Whether the message, or any that can be in it, has something newer. */
  #hasNewer(schema: DescMessage, minor: number, seen = new Set<DescMessage>()): boolean {
    if (seen.has(schema)) return false;
    seen.add(schema);
    return schema.fields.some(
      (field) =>
        this.#isNewer(field, minor) ||
        this.#newerNumbers(field, minor) !== undefined ||
        (field.message !== undefined && this.#hasNewer(field.message, minor, seen)),
    );
  }

  #isNewer(field: DescField, minor: number): boolean {
    return (this.#newer.fields[field.parent.typeName]?.[field.localName] ?? 0) > minor;
  }

  #newerNumbers(field: DescField, minor: number): Set<number> | undefined {
    if (field.enum === undefined) return undefined;
    const since = this.#newer.enumValues[field.enum.typeName];
    const newer = field.enum.values.filter(({ localName }) => (since?.[localName] ?? 0) > minor);
    return newer.length === 0 ? undefined : new Set(newer.map(({ number }) => number));
  }
}

const ofThisApi = new Droppers({ fields: fieldSince, enumValues: enumValueSince });

/** What happens to the values of a field, in lists and maps to each. */
type Change = "drop" | ((value: unknown) => unknown);

interface Step {
  field: DescField;
  change: Change;
}

interface Plan {
  readonly drop: Dropper;
}

type Parts = Record<string, unknown>;

function applied<M extends Message>(steps: readonly Step[], message: M): M {
  let copy: M | undefined;
  for (const { field, change } of steps) {
    const current = copy ?? message;
    if (!isFieldSet(current, field)) continue;
    const name = field.oneof?.localName ?? field.localName;
    const before = (current as unknown as Parts)[name];
    const after = change === "drop" ? undefined : changed(field, change, before);
    if (after === before) continue;
    copy ??= copyOf(message);
    if (change === "drop") clearField(copy, field);
    else (copy as unknown as Parts)[name] = after;
  }
  return copy ?? message;
}

function copyOf<M extends Message>(message: M): M {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message) as M;
}

function changed(field: DescField, change: (value: unknown) => unknown, value: unknown): unknown {
  if (field.oneof !== undefined) {
    const choice = value as { case: string; value: unknown };
    const after = change(choice.value);
    return after === choice.value ? choice : { ...choice, value: after };
  }
  if (field.fieldKind === "list") {
    const before = value as unknown[];
    const after = before.map(change);
    return after.some((one, i) => one !== before[i]) ? after : before;
  }
  if (field.fieldKind === "map") {
    const before = value as Parts;
    const after = Object.fromEntries(Object.entries(before).map(([key, one]) => [key, change(one)]));
    return Object.keys(before).some((key) => after[key] !== before[key]) ? after : before;
  }
  return change(value);
}
