/** Something that a server has said of what this side asked for, or that went wrong beside the calls. */
export interface TailnetNotice {
  /** `error` mostly comes before the end of a stream; after a `warning` everything goes on. */
  level: "warning" | "error";
  text: string;
}

/** Tells of notices; what the listener throws, at once or later, is not heard. */
export function notifier(listener: (notice: TailnetNotice) => unknown): (notice: TailnetNotice) => void {
  return (notice) => {
    const tell = async () => listener(notice);
    tell().catch(() => {});
  };
}
