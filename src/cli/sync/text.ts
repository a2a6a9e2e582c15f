import type { AgentSocketConnection } from "../../local/index.js";
import { unitStatusText } from "../../local/index.js";
import { printable } from "../colors.js";
import { type Column, chosenColumns, tableText } from "../table.js";

type Calls = AgentSocketConnection["agentSocket"];
type StatusReply = Awaited<ReturnType<Calls["syncStatus"]>>;
type ListReply = Awaited<ReturnType<Calls["syncList"]>>;

/** Names in brackets. */
export function list(names: readonly string[]): string {
  return `[${names.map(printable).join(", ")}]`;
}

/** How a reply is shown. */
export interface Shape {
  output: "table" | "json";
  /** Headings between commas; all without. */
  columns: string | undefined;
}

const dependencyColumns: readonly Column<StatusReply["dependencies"][number]>[] = [
  { heading: "DEPENDS ON", text: ({ dependsOn }) => dependsOn },
  { heading: "REQUIRED STATUS", text: ({ requiredStatus }) => unitStatusText(requiredStatus) },
  { heading: "CURRENT STATUS", text: ({ currentStatus }) => unitStatusText(currentStatus) },
  { heading: "SATISFIED", text: ({ isSatisfied }) => String(isSatisfied) },
];

const unitColumns: readonly Column<ListReply["units"][number]>[] = [
  { heading: "UNIT", text: ({ unit }) => unit },
  { heading: "STATUS", text: ({ status }) => unitStatusText(status) },
  { heading: "READY", text: ({ isReady }) => String(isReady) },
];

/** A unit's status. C5.36. @throws UsageError for columns that are not there. */
export function statusText(unit: string, shape: Shape): (reply: StatusReply) => string {
  const columns = chosenColumns(dependencyColumns, shape.columns);
  return ({ status, isReady, dependencies }) => {
    if (shape.output === "json") {
      return json({
        unit_name: unit,
        status,
        is_ready: isReady,
        dependencies: orNull(
          dependencies.map((one) => ({
            depends_on: one.dependsOn,
            required_status: one.requiredStatus,
            current_status: one.currentStatus,
            is_satisfied: one.isSatisfied,
          })),
        ),
      });
    }
    const table = dependencies.length === 0 ? "No dependencies found\n" : tableText(columns, dependencies);
    const head = `Unit: ${printable(unit)}\nStatus: ${unitStatusText(status)}\nReady: ${isReady}\n`;
    return `${head}\nDependencies:\n${table}`;
  };
}

/** All units, by name. C5.37. @throws UsageError for columns that are not there. */
export function listText(shape: Shape): (reply: ListReply) => string {
  const columns = chosenColumns(unitColumns, shape.columns);
  return ({ units }) => {
    const sorted = [...units].sort((a, b) => (a.unit < b.unit ? -1 : 1));
    if (shape.output === "json") {
      return json(
        orNull(sorted.map(({ unit, status, isReady }) => ({ unit_name: unit, status, is_ready: isReady }))),
      );
    }
    return sorted.length === 0 ? "No units registered\n" : tableText(columns, sorted);
  };
}

/** What is empty is `null`: readers of the format know it so. */
function orNull<T>(all: T[]): T[] | null {
  return all.length === 0 ? null : all;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
