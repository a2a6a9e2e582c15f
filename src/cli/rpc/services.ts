import type { DescEnum, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { Agent, Tailnet } from "../../client/index-node.js";
import { type ApiMethod, type ApiVersion, apiMethods, methodVersion } from "../../version/index.js";
import { UsageError } from "../command.js";

/** The services whose RPCs can be called. */
const services = [Agent, Tailnet] as const;

/** All RPCs of the services, in the order of the schemas. */
export const allMethods: readonly DescMethod[] = services.flatMap(({ methods }) => methods);

/** `Agent/GetManifest`: the shortest name that `call` knows an RPC by. */
export function shortName({ parent, name }: DescMethod): string {
  return `${parent.name}/${name}`;
}

/** The first version that promises an RPC. */
export function sinceOf({ localName }: DescMethod): ApiVersion | undefined {
  return isApiMethod(localName) ? methodVersion(localName) : undefined;
}

function isApiMethod(name: string): name is ApiMethod {
  return (apiMethods as readonly string[]).includes(name);
}

/**
 * `Agent/GetManifest`, `coder.agent.v2.Agent/GetManifest`, with a slash in front or not.
 * @throws UsageError for one that is not there, with those that are.
 */
export function methodNamed(name: string): DescMethod {
  const [serviceName = "", methodName = ""] = name.replace(/^\//, "").split("/", 2);
  const service = services.find(
    ({ name: short, typeName }) => serviceName === short || serviceName === typeName,
  );
  if (service === undefined) {
    const known = services.map(({ typeName }) => typeName).join(", ");
    throw new UsageError(`there is no service "${serviceName}"; known are ${known}`);
  }
  const method = service.methods.find((one) => one.name === methodName || one.localName === methodName);
  if (method === undefined) {
    const known = service.methods.map((one) => one.name).join(", ");
    throw new UsageError(`${service.typeName} has no method "${methodName}"; it has ${known}`);
  }
  return method;
}

/** Messages and enums. */
export type DescType = DescMessage | DescEnum;

/** Some messages, and all messages and enums in their fields, each once, in the order in which they are met. */
export function typesIn(messages: readonly DescMessage[]): DescType[] {
  const found = new Set<DescType>();
  const add = (type: DescType) => {
    if (found.has(type)) return;
    found.add(type);
    if (type.kind !== "message" || isWellKnown(type)) return;
    for (const { message, enum: values } of type.fields) {
      if (message !== undefined) add(message);
      if (values !== undefined) add(values);
    }
  };
  for (const message of messages) add(message);
  return [...found];
}

/** Whether JSON has a form of its own for it, so that its fields are of no interest. */
export function isWellKnown({ typeName }: DescType): boolean {
  return typeName.startsWith("google.protobuf.");
}

/**
 * The messages and enums of the services by their full name, without the package, or by the last part of it.
 * @throws UsageError when there is none, or several.
 */
export function typeNamed(name: string): DescType {
  const all = typesIn(allMethods.flatMap(({ input, output }) => [input, output]));
  const exact = all.find(({ typeName }) => typeName === name);
  if (exact !== undefined) return exact;
  const [first, ...more] = all.filter(({ typeName }) => typeName.endsWith(`.${name}`));
  if (first === undefined) {
    throw new UsageError(`there is no RPC and no message "${name}"; agentwire call --list shows the RPCs`);
  }
  if (more.length > 0) {
    const found = [first, ...more].map(({ typeName }) => typeName).join(", ");
    throw new UsageError(`"${name}" may be one of ${found}: give more of the name`);
  }
  return first;
}
