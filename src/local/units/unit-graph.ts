import { dotText } from "./dot.js";
import {
  alreadyRegistered,
  cycle,
  mustBeRegistered,
  nameRequired,
  notKnown,
  sameStatus,
  tooMany,
  UnitError,
} from "./unit-errors.js";
import { notRegistered, type UnitStatus } from "./unit-status.js";

/** A registered unit. */
export interface Unit {
  readonly name: string;
  readonly status: UnitStatus;
  /** All that it depends on has the status that it needs. Says nothing of its own status. C5.22. */
  readonly isReady: boolean;
}

/** An edge: `unit` needs `dependsOn` to have a status. */
export interface UnitDependency {
  readonly unit: string;
  readonly dependsOn: string;
  readonly requiredStatus: UnitStatus;
  /** `""` while the unit is not registered. */
  readonly currentStatus: UnitStatus | "";
  /** The two are equal; it ends when the other unit moves on, or back. C5.21. */
  readonly isSatisfied: boolean;
}

/** How large a graph may become. */
export interface UnitGraphLimits {
  /** Names, those that are only depended on included; 10,000 by default. */
  maxUnits?: number;
  /** Edges; 100,000 by default. */
  maxDependencies?: number;
}

interface Vertex {
  readonly name: string;
  status: UnitStatus | "";
  /** What it depends on, with the status that it needs. */
  readonly needs: Map<Vertex, UnitStatus>;
}

/**
 * Units, what each depends on, and how far they are. In memory only; nothing is ever removed, nothing times out.
 * C5.20 to C5.28.
 */
export class UnitGraph {
  readonly #maxUnits: number;
  readonly #maxDependencies: number;
  readonly #vertices = new Map<string, Vertex>();
  /** Names that were part of an edge, or of the attempt at one, in that order: what the DOT text shows. */
  readonly #drawn = new Map<Vertex, number>();
  #edges = 0;

  constructor(limits: UnitGraphLimits = {}) {
    this.#maxUnits = limits.maxUnits ?? 10_000;
    this.#maxDependencies = limits.maxDependencies ?? 100_000;
  }

  /**
   * Makes a unit known; it is pending then. C5.20.
   * @throws UnitError for an empty name, a unit that is registered, and one too many.
   */
  register(unit: string): void {
    if (unit === "") throw nameRequired('registering unit ""');
    if (this.isRegistered(unit)) throw alreadyRegistered(unit);
    this.#vertex(unit).status = "pending";
  }

  /** Whether a unit is known by more than its name in the dependencies of others. */
  isRegistered(unit: string): boolean {
    return this.status(unit) !== notRegistered;
  }

  /** The status of a unit, `""` where it is not registered. */
  status(unit: string): UnitStatus | "" {
    return this.#vertices.get(unit)?.status ?? notRegistered;
  }

  /**
   * Has a registered unit depend on another one, which need not be registered. Done again, it replaces the status that
   * is needed. C5.21, C5.24, C5.25.
   * @throws UnitError for an empty name, a unit that is not registered, a cycle, and one dependency too many.
   */
  addDependency(unit: string, dependsOn: string, requiredStatus: UnitStatus): void {
    if (unit === "") throw nameRequired("dependent name cannot be empty");
    if (dependsOn === "") throw nameRequired("dependency name cannot be empty");
    if (!this.isRegistered(unit)) throw mustBeRegistered("dependent unit", unit);
    const from = this.#vertex(unit);
    const to = this.#vertex(dependsOn);
    this.#draw(from);
    this.#draw(to);
    if (reaches(to, from)) throw cycle(unit, dependsOn);
    if (!from.needs.has(to)) {
      if (this.#edges === this.#maxDependencies) throw tooMany("dependencies", this.#maxDependencies);
      this.#edges++;
    }
    from.needs.set(to, requiredStatus);
  }

  /**
   * Changes the status of a unit, whatever it was. Whether the unit is ready is not looked at. C5.23.
   * @throws UnitError for an empty name, a unit that is not registered, and the status that it has already.
   */
  updateStatus(unit: string, status: UnitStatus): void {
    if (unit === "") throw nameRequired('updating status for unit ""');
    const vertex = this.#vertices.get(unit);
    if (vertex === undefined || vertex.status === notRegistered) throw mustBeRegistered("unit", unit);
    if (vertex.status === status) throw sameStatus(unit);
    vertex.status = status;
  }

  /**
   * Whether all that a unit depends on is as it needs it; true for one that is not registered. C5.22.
   * @throws UnitError for an empty name.
   */
  isReady(unit: string): boolean {
    if (unit === "") throw nameRequired("unit ID cannot be empty");
    const vertex = this.#vertices.get(unit);
    return vertex === undefined || isReady(vertex);
  }

  /**
   * What a registered unit depends on, in the order in which it was declared.
   * @throws UnitError for an empty name, and a unit that is not registered.
   */
  dependencies(unit: string): UnitDependency[] {
    if (unit === "") throw nameRequired("unit ID cannot be empty");
    const vertex = this.#vertices.get(unit);
    if (vertex === undefined || vertex.status === notRegistered) throw notKnown(unit);
    return [...vertex.needs].map(([{ name, status }, requiredStatus]) => ({
      unit,
      dependsOn: name,
      requiredStatus,
      currentStatus: status,
      isSatisfied: status === requiredStatus,
    }));
  }

  /** All registered units, in no order that is promised. */
  units(): Unit[] {
    const units: Unit[] = [];
    for (const vertex of this.#vertices.values()) {
      const { name, status } = vertex;
      if (status !== notRegistered) units.push({ name, status, isReady: isReady(vertex) });
    }
    return units;
  }

  /**
   * The graph for Graphviz: nodes are numbers, in the order in which the units came into an edge, or into the attempt
   * at one. C5.24, C5.27.
   * @throws UnitError before the first edge was tried: `graph is not initialized`.
   */
  exportDot(name: string): string {
    if (this.#drawn.size === 0) throw new UnitError("no-graph", "graph is not initialized");
    const edges = [...this.#drawn].flatMap(([{ needs }, from]) =>
      [...needs.keys()].map((to) => [from, this.#drawn.get(to) ?? 0] as const),
    );
    return dotText(name, this.#drawn.size, edges);
  }

  #vertex(name: string): Vertex {
    let vertex = this.#vertices.get(name);
    if (vertex === undefined) {
      if (this.#vertices.size === this.#maxUnits) throw tooMany("units", this.#maxUnits);
      vertex = { name, status: notRegistered, needs: new Map() };
      this.#vertices.set(name, vertex);
    }
    return vertex;
  }

  #draw(vertex: Vertex): void {
    if (!this.#drawn.has(vertex)) this.#drawn.set(vertex, this.#drawn.size + 1);
  }
}

function isReady({ needs }: Vertex): boolean {
  for (const [{ status }, required] of needs) if (status !== required) return false;
  return true;
}

/** Whether one depends on the other, by whatever way; each reaches itself. */
function reaches(from: Vertex, target: Vertex): boolean {
  const seen = new Set([from]);
  // a set can grow while it is walked: what is found is visited later
  for (const vertex of seen) {
    if (vertex === target) return true;
    for (const next of vertex.needs.keys()) seen.add(next);
  }
  return false;
}
