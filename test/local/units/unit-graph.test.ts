import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UnitError, UnitGraph, type UnitStatus, unitStatusText } from "../../../src/local/units/index.js";
import { runs } from "../../support/scale.js";

function graphWith(...units: string[]): UnitGraph {
  const graph = new UnitGraph();
  for (const unit of units) graph.register(unit);
  return graph;
}

function textOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof UnitError) return error.message;
    throw error;
  }
  return undefined;
}

describe("the unit graph", () => {
  it("C5.20 registers a unit as pending and ready, once", () => {
    const graph = graphWith("a");
    expect(graph.units()).toEqual([{ name: "a", status: "pending", isReady: true }]);
    expect(textOf(() => graph.register("a"))).toBe('registering unit "a": unit already registered');
    expect(textOf(() => graph.register(""))).toBe('registering unit "": unit name is required');
    expect(graph.status("b")).toBe("");
    expect(unitStatusText("")).toBe("not registered");
    expect(unitStatusText("started")).toBe("started");
  });

  it("C5.21 takes a dependency as satisfied by equality only", () => {
    const graph = graphWith("a", "b");
    graph.addDependency("a", "b", "completed");
    expect(graph.isReady("a")).toBe(false);
    graph.updateStatus("b", "completed");
    expect(graph.isReady("a")).toBe(true);
    graph.updateStatus("b", "started");
    expect(graph.isReady("a")).toBe(false);
    expect(graph.dependencies("a")).toEqual([
      {
        unit: "a",
        dependsOn: "b",
        requiredStatus: "completed",
        currentStatus: "started",
        isSatisfied: false,
      },
    ]);
  });

  it("C5.22 is ready without dependencies, and where it is not known", () => {
    const graph = graphWith("a");
    expect(graph.isReady("a")).toBe(true);
    expect(graph.isReady("stranger")).toBe(true);
  });

  it("C5.23 changes status in any order, but not to what it is", () => {
    const graph = graphWith("a");
    for (const status of ["completed", "started", "pending", "started"] as const) {
      graph.updateStatus("a", status);
      expect(graph.status("a")).toBe(status);
    }
    expect(textOf(() => graph.updateStatus("a", "started"))).toBe(
      'checking status for unit "a": same status already set',
    );
  });

  it("C5.24 refuses an edge to itself and one that closes a circle, and changes nothing then", () => {
    const graph = graphWith("a", "b", "c");
    graph.addDependency("a", "b", "completed");
    graph.addDependency("b", "c", "completed");
    expect(textOf(() => graph.addDependency("c", "a", "completed"))).toBe(
      'adding edge for unit "c": failed to add dependency\nadding edge (c -> a): cycle detected',
    );
    expect(() => graph.addDependency("a", "a", "completed")).toThrow(/\(a -> a\): cycle detected$/);
    expect(graph.dependencies("c")).toEqual([]);
    expect(graph.isReady("c")).toBe(true);
  });

  it("C5.24 replaces the status that is needed when an edge is added again", () => {
    const graph = graphWith("a", "b");
    graph.addDependency("a", "b", "completed");
    graph.addDependency("a", "b", "started");
    expect(graph.dependencies("a").map(({ requiredStatus }) => requiredStatus)).toEqual(["started"]);
    graph.updateStatus("b", "started");
    expect(graph.isReady("a")).toBe(true);
  });

  it("C5.25 lets a unit that has started gain dependencies: only its readiness changes", () => {
    const graph = graphWith("a");
    graph.updateStatus("a", "completed");
    graph.addDependency("a", "b", "completed");
    expect(graph.units()).toEqual([{ name: "a", status: "completed", isReady: false }]);
  });

  it("C5.26 says what was wrong", () => {
    const graph = graphWith("a");
    expect([
      textOf(() => graph.addDependency("", "b", "completed")),
      textOf(() => graph.addDependency("a", "", "completed")),
      textOf(() => graph.addDependency("x\n", "b", "completed")),
      textOf(() => graph.dependencies("x")),
      textOf(() => graph.dependencies("")),
      textOf(() => graph.isReady("")),
      textOf(() => graph.updateStatus("", "started")),
      textOf(() => graph.updateStatus("x", "started")),
    ]).toEqual([
      "dependent name cannot be empty: unit name is required",
      "dependency name cannot be empty: unit name is required",
      'dependent unit "x\\n" must be registered first: unit not found',
      'checking registration for unit "x": unit not found',
      "unit ID cannot be empty: unit name is required",
      "unit ID cannot be empty: unit name is required",
      'updating status for unit "": unit name is required',
      'unit "x" must be registered first: unit not found',
    ]);
  });

  it("C5.24, C5.27 draws all that was in an edge or the attempt at one, by numbers from 1", () => {
    const graph = graphWith("a", "b", "z");
    expect(textOf(() => graph.exportDot("Units"))).toBe("graph is not initialized");
    graph.addDependency("b", "a", "completed");
    expect(() => graph.addDependency("z", "z", "completed")).toThrow(UnitError);
    graph.addDependency("b", "c", "completed");
    expect(graph.exportDot("Units")).toBe(
      [
        "strict digraph Units {",
        "  // Node definitions.",
        ...["  1;", "  2;", "  3;", "  4;"],
        "",
        "  // Edge definitions.",
        ...["  1 -> 2;", "  1 -> 4;"],
        "}",
      ].join("\n"),
    );
  });

  it("has a bound for units and for dependencies", () => {
    const graph = new UnitGraph({ maxUnits: 3, maxDependencies: 1 });
    for (const unit of ["a", "b", "c"]) graph.register(unit);
    expect(() => graph.register("d")).toThrow("the unit graph has 3 units, which is its limit");
    expect(() => graph.addDependency("a", "d", "completed")).toThrow("3 units");
    graph.addDependency("a", "b", "completed");
    graph.addDependency("a", "b", "started");
    expect(() => graph.addDependency("a", "c", "completed")).toThrow(
      "the unit graph has 1 dependencies, which is its limit",
    );
  });

  it("takes a chain of thousands", () => {
    const graph = new UnitGraph();
    for (let i = 0; i < 5_000; i++) graph.register(`${i}`);
    // from the near end, so that the search for cycles is short until the last one
    for (let i = 0; i < 4_999; i++) graph.addDependency(`${i}`, `${i + 1}`, "completed");
    expect(() => graph.addDependency("4999", "0", "completed")).toThrow("cycle detected");
  });
});

/** The rules once more, naively: all edges in one list, everything worked out anew for each question. */
class Model {
  readonly statuses = new Map<string, UnitStatus>();
  edges: { unit: string; dependsOn: string; required: UnitStatus }[] = [];

  isReady(unit: string): boolean {
    return this.edges.every(
      (edge) => edge.unit !== unit || this.statuses.get(edge.dependsOn) === edge.required,
    );
  }

  /** All that a unit depends on, by whatever way, itself included. */
  closure(unit: string): string[] {
    const found = [unit];
    for (let grown = true; grown; ) {
      const next = this.edges.find(
        ({ unit: from, dependsOn }) => found.includes(from) && !found.includes(dependsOn),
      );
      grown = next !== undefined;
      if (next !== undefined) found.push(next.dependsOn);
    }
    return found;
  }

  /** What the operation is answered with: undefined, or the word of the error. */
  run(operation: Operation): string | undefined {
    const { do: what, unit, other, status } = operation;
    if (what === "register") {
      if (unit === "") return "name-required";
      if (this.statuses.has(unit)) return "already-registered";
      this.statuses.set(unit, "pending");
    } else if (what === "update") {
      if (unit === "") return "name-required";
      if (!this.statuses.has(unit)) return "not-found";
      if (this.statuses.get(unit) === status) return "same-status";
      this.statuses.set(unit, status);
    } else {
      if (unit === "" || other === "") return "name-required";
      if (!this.statuses.has(unit)) return "not-found";
      if (this.closure(other).includes(unit)) return "cycle";
      this.edges = this.edges.filter((edge) => edge.unit !== unit || edge.dependsOn !== other);
      this.edges.push({ unit, dependsOn: other, required: status });
    }
    return undefined;
  }
}

interface Operation {
  do: "register" | "update" | "depend";
  unit: string;
  other: string;
  status: UnitStatus;
}

const names = ["a", "b", "c", "d", "e", "f"];
const name = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(...names) },
  { weight: 1, arbitrary: fc.constant("") },
);
const operation: fc.Arbitrary<Operation> = fc.record({
  do: fc.constantFrom("register", "update", "depend", "depend"),
  unit: name,
  other: name,
  status: fc.constantFrom<UnitStatus>("pending", "started", "completed", "completed"),
});

function answer(graph: UnitGraph, { do: what, unit, other, status }: Operation): string | undefined {
  try {
    if (what === "register") graph.register(unit);
    else if (what === "update") graph.updateStatus(unit, status);
    else graph.addDependency(unit, other, status);
  } catch (error) {
    if (error instanceof UnitError) return error.code;
    throw error;
  }
  return undefined;
}

const byName = <T>(list: T[], of: (one: T) => string) => [...list].sort((a, b) => (of(a) < of(b) ? -1 : 1));

describe("any operations on the unit graph", () => {
  it("C5.20 to C5.25 give what the rules say: answers, statuses, readiness, dependencies", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const graph = new UnitGraph();
        const model = new Model();
        for (const one of operations) {
          expect(answer(graph, one)).toBe(model.run(one));
          expect(byName(graph.units(), (unit) => unit.name)).toEqual(
            byName(
              [...model.statuses].map(([unit, status]) => ({
                name: unit,
                status,
                isReady: model.isReady(unit),
              })),
              (unit) => unit.name,
            ),
          );
        }
        for (const unit of model.statuses.keys()) {
          const wanted = model.edges.filter((edge) => edge.unit === unit);
          expect(byName(graph.dependencies(unit), ({ dependsOn }) => dependsOn)).toEqual(
            byName(
              wanted.map(({ dependsOn, required }) => {
                const currentStatus = model.statuses.get(dependsOn) ?? "";
                const isSatisfied = currentStatus === required;
                return { unit, dependsOn, requiredStatus: required, currentStatus, isSatisfied };
              }),
              ({ dependsOn }) => dependsOn,
            ),
          );
        }
      }),
      runs(300),
    );
  });
});
