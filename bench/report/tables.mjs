import { baseName, goPairName } from "../candidates/index.mjs";
import { bareNode } from "../runner/run.mjs";
import { median, medianAndRange, range, table } from "./format.mjs";

/**
 * @typedef {import("../candidates/index.mjs").Candidate} Candidate
 * @typedef {import("../cells.mjs").Cell} Cell
 * @typedef {import("./summary.mjs").Summary} Summary
 */

const resourceHead = ["CPU s client", "CPU s server", "peak MB client", "peak MB server"];
const resourceValues = ["clientCpuS", "serverCpuS", "clientPeakMb", "serverPeakMb"];

/**
 * @param {Summary} summary
 * @param {readonly Cell[]} cells
 * @param {readonly Candidate[]} candidates
 * @returns {string[]} a Markdown section for each timed cell, one for start-up and one for the wire
 */
export function sections(summary, cells, candidates) {
  const out = [];
  for (const cell of cells) {
    const measured = candidates.filter(({ name }) => summary.has(cell.name, name));
    if (cell.kind === "unary") out.push(titled(cell.title, unaryTable(summary, cell.name, measured)));
    if (cell.kind === "stream") out.push(titled(cell.title, streamTable(summary, cell.name, measured)));
    if (cell.kind === "startup") out.push(titled(cell.title, startupTable(summary, cell.name, measured)));
  }
  const wireCells = cells.filter(({ kind }) => kind === "wire");
  if (wireCells.length > 0) {
    out.push(
      titled("On the wire, empty payload, both ways together", wireTable(summary, wireCells, candidates)),
    );
  }
  return out;
}

/**
 * @param {string} title
 * @param {string} text
 */
function titled(title, text) {
  return `### ${title}\n\n${text}`;
}

/**
 * @param {Summary} summary
 * @param {string} cell
 * @param {readonly Candidate[]} candidates
 */
function unaryTable(summary, cell, candidates) {
  const head = ["candidate", "calls/s", "min–max", ...ratioHead, "p50 µs", "p99 µs", ...resourceHead];
  return table(
    head,
    candidates.map((candidate) => [
      candidate.title,
      median(summary.spread(cell, candidate.name, "rate")),
      range(summary.spread(cell, candidate.name, "rate")),
      ...ratios(summary, cell, candidate),
      ...medians(summary, cell, candidate.name, ["p50Us", "p99Us", ...resourceValues]),
    ]),
  );
}

/**
 * @param {Summary} summary
 * @param {string} cell
 * @param {readonly Candidate[]} candidates
 */
function streamTable(summary, cell, candidates) {
  const head = ["candidate", "messages/s", "min–max", "MB/s", ...ratioHead, ...resourceHead];
  return table(
    head,
    candidates.map((candidate) => [
      candidate.title,
      median(summary.spread(cell, candidate.name, "rate")),
      range(summary.spread(cell, candidate.name, "rate")),
      median(summary.spread(cell, candidate.name, "mbPerSecond")),
      ...ratios(summary, cell, candidate),
      ...medians(summary, cell, candidate.name, resourceValues),
    ]),
  );
}

/**
 * @param {Summary} summary
 * @param {string} cell
 * @param {readonly Candidate[]} candidates
 */
function startupTable(summary, cell, candidates) {
  const rows = [{ name: bareNode, title: "Node alone, no answer" }, ...candidates];
  return table(
    ["client", "ms from start to first answer", "× grpc-js", "ms to import the library"],
    rows.map(({ name, title }) => [
      title,
      medianAndRange(summary.spread(cell, name, "firstAnswerMs")),
      medianAndRange(summary.ratio(cell, name, baseName, "firstAnswerMs")),
      medianAndRange(summary.spread(cell, name, "importMs")),
    ]),
  );
}

/**
 * @param {Summary} summary
 * @param {readonly Cell[]} cells
 * @param {readonly Candidate[]} candidates
 */
function wireTable(summary, cells, candidates) {
  const callers = cells.map((cell) => (cell.kind === "wire" ? cell.callers : 0));
  const head = [
    "candidate",
    ...callers.map((count) => `bytes per call, ${count}`),
    ...callers.map((count) => `WebSocket messages per call, ${count}`),
  ];
  return table(
    head,
    candidates.map(({ name, title }) => [
      title,
      ...cells.map((cell) => median(summary.spread(cell.name, name, "bytesPerCall"))),
      ...cells.map((cell) => median(summary.spread(cell.name, name, "messagesPerCall"))),
    ]),
  );
}

const ratioHead = ["× grpc-js", "× Go pair"];

/**
 * @param {Summary} summary
 * @param {string} cell
 * @param {Candidate} candidate
 */
function ratios(summary, cell, { name, isWireStack }) {
  return [
    medianAndRange(summary.ratio(cell, name, baseName, "rate")),
    isWireStack ? medianAndRange(summary.ratio(cell, name, goPairName, "rate")) : "",
  ];
}

/**
 * @param {Summary} summary
 * @param {string} cell
 * @param {string} candidate
 * @param {readonly string[]} values
 */
function medians(summary, cell, candidate, values) {
  return values.map((value) => median(summary.spread(cell, candidate, value)));
}
