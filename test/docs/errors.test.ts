import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root } from "./examples.js";

const page = readFileSync(`${root}docs/errors.md`, "utf8");
/** The parts of the page, each from its heading to the next. */
const sections = page.split(/^(?=##+ )/m);
/** What stands in the first cell of a row of a table. */
const rowsOf = (text: string) => [...text.matchAll(/^\| (.+?) *\|/gm)].map(([, cell = ""]) => cell);
const named = (cells: readonly string[]) =>
  cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
const sectionOf = (name: string) =>
  sections.find((text) => text.split("\n")[0]?.includes(`\`${name}\``)) ?? "";

const program = ts.createProgram(entries(), {
  allowJs: false,
  noEmit: true,
  skipLibCheck: true,
  strict: true,
});
const checker = program.getTypeChecker();
const exported = program
  .getSourceFiles()
  .filter(({ fileName }) => entries().includes(fileName))
  .flatMap((file) => {
    const module = checker.getSymbolAtLocation(file);
    return module === undefined ? [] : checker.getExportsOfModule(module);
  })
  .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));

describe("docs/errors.md", () => {
  const classes = [...new Set(exported.filter(isErrorClass).map(({ name }) => name))].sort();

  it("is about all errors that can be imported", () => {
    expect(entries().length).toBeGreaterThan(15);
    expect(classes.length).toBeGreaterThan(10);
    expect([...new Set(named(rowsOf(sections[0] ?? "")))].sort()).toEqual(
      expect.arrayContaining([...classes]),
    );
  });

  it.each(classes)("has a section on %s", (name) => {
    expect(sectionOf(name)).not.toBe("");
  });

  it.each([
    ["TransportErrorCode", "TransportError"],
    ["WireErrorCode", "WireError"],
    ["UnitErrorCode", "UnitError"],
    ["TokenSetting", "TokenSettingError"],
    ["RpcErrorLayer", "RpcError"],
  ])("has each %s in the section on %s, and no other", (type, name) => {
    const listed = named(rowsOf(tableOf(sectionOf(name), type === "RpcErrorLayer" ? "layer  " : undefined)));
    expect(listed.sort()).toEqual(wordsOf(type).sort());
  });

  it("says when calls have each of the codes that the client gives", () => {
    const codes = new Set(sourcesOf("client", "rpc").flatMap((file) => propertiesOf(file, "Code")));
    expect(codes.size).toBeGreaterThan(10);
    const listed = named(rowsOf(tableOf(sectionOf("RpcError"), "code  ")));
    expect(listed).toEqual(expect.arrayContaining([...codes]));
  });

  it("has each status that the server refuses requests with", () => {
    const statuses = new Set(sourcesOf("server").flatMap(statusesOf));
    expect(statuses.size).toBeGreaterThan(8);
    const listed = rowsOf(sectionOf("DialError")).map(Number);
    expect(listed).toEqual(expect.arrayContaining([...statuses]));
  });
});

/** The sources of what can be imported, but for what is generated. */
function entries(): string[] {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { exports: object };
  return [...JSON.stringify(exports).matchAll(/"types":"\.\/dist\/((?!gen\/)[^"]+)\.d\.ts"/g)].map(
    ([, path]) => `${root}src/${path}.ts`,
  );
}

function isErrorClass(symbol: ts.Symbol): boolean {
  if ((symbol.flags & ts.SymbolFlags.Class) === 0) return false;
  const isOrExtendsError = (type: ts.Type): boolean =>
    type.symbol?.name === "Error" || (type.getBaseTypes() ?? []).some(isOrExtendsError);
  return isOrExtendsError(checker.getDeclaredTypeOfSymbol(symbol));
}

/** The words of a type that is a union of words, wherever it is declared. */
function wordsOf(type: string): string[] {
  for (const file of program.getSourceFiles()) {
    for (const statement of file.statements) {
      if (!ts.isTypeAliasDeclaration(statement) || statement.name.text !== type) continue;
      const union = checker.getTypeAtLocation(statement);
      return (union.isUnion() ? union.types : [union]).flatMap((one) =>
        one.isStringLiteral() ? [one.value] : [],
      );
    }
  }
  throw new Error(`there is no type ${type}`);
}

/** The table of a section whose heading begins so; without that the first. */
function tableOf(section: string, heading = ""): string {
  const tables = section.match(/(?:^\|.*\n)+/gm) ?? [];
  const table = tables.find((one) => one.startsWith(`| ${heading}`)) ?? "";
  return table.split("\n").slice(2).join("\n");
}

function sourcesOf(...rooms: string[]): ts.SourceFile[] {
  return rooms.flatMap((room) =>
    readdirSync(`${root}src/${room}`, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => {
        const text = readFileSync(`${root}src/${room}/${path}`, "utf8");
        return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
      }),
  );
}

function nodesOf(file: ts.SourceFile): ts.Node[] {
  const all: ts.Node[] = [];
  const visit = (node: ts.Node) => {
    all.push(node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return all;
}

/** The names after `Code.` and its like. */
function propertiesOf(file: ts.SourceFile, object: string): string[] {
  return nodesOf(file).flatMap((node) =>
    ts.isPropertyAccessExpression(node) && node.expression.getText() === object ? [node.name.text] : [],
  );
}

/** The numbers in `new ApiError(404, …)`, and in answers such as `{ status: 426, … }`, that are refusals. */
function statusesOf(file: ts.SourceFile): number[] {
  return nodesOf(file)
    .flatMap((node) => {
      if (ts.isNewExpression(node) && node.expression.getText() === "ApiError")
        return node.arguments?.[0] ?? [];
      return ts.isPropertyAssignment(node) && node.name.getText() === "status" ? node.initializer : [];
    })
    .flatMap((value) => (ts.isNumericLiteral(value) ? Number(value.text) : []))
    .filter((status) => status >= 400);
}
