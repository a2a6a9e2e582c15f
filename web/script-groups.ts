/** A run, as far as it is put in a group. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** Spans that are one after the other, with the time from the first start to the last end. */
export interface SpanGroup<S extends Span> extends Span {
  readonly spans: readonly S[];
}

/**
 * Puts spans into groups between which nothing was going on for some time, newest first: a start of yesterday and a
 * timer of today are not on one axis.
 */
export function spanGroups<S extends Span>(spans: readonly S[], leastGapMs: number): SpanGroup<S>[] {
  const groups: { spans: S[]; startMs: number; endMs: number }[] = [];
  for (const span of [...spans].sort((a, b) => a.startMs - b.startMs)) {
    const group = groups.at(-1);
    if (group === undefined || span.startMs - group.endMs > leastGapMs) {
      groups.push({ spans: [span], startMs: span.startMs, endMs: span.endMs });
    } else {
      group.spans.push(span);
      group.endMs = Math.max(group.endMs, span.endMs);
    }
  }
  return groups.reverse();
}
