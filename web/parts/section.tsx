import type { ComponentChildren } from "preact";

/** A part of a view with its heading. */
export function Section(props: { id: string; title: string; note?: string; children: ComponentChildren }) {
  const { id, title, note, children } = props;
  return (
    <section class="card" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {note === undefined ? null : <p class="quiet note">{note}</p>}
      {children}
    </section>
  );
}

/** A table that may be wider than the page: then it is scrolled, also with the keyboard. */
export function WideTable({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within reach of the keyboard
    // biome-ignore lint/a11y/useSemanticElements: there is no element for a group that is no part of a form
    <div class="wide" role="group" aria-label={label} tabIndex={0}>
      <table>{children}</table>
    </div>
  );
}

/** What stands where there is nothing. */
export function Nothing({ children }: { children: ComponentChildren }) {
  return <p class="quiet">{children}</p>;
}

/** Goes back and forth between pages of a list. */
export function Pager(props: { label: string; page: number; pages: number; onPage(page: number): void }) {
  const { label, page, pages, onPage } = props;
  if (pages <= 1) return null;
  return (
    <nav class="pager" aria-label={label}>
      <button type="button" disabled={page === 0} onClick={() => onPage(page - 1)}>
        Previous
      </button>
      <span role="status">
        Page {page + 1} of {pages}
      </span>
      <button type="button" disabled={page >= pages - 1} onClick={() => onPage(page + 1)}>
        Next
      </button>
    </nav>
  );
}
