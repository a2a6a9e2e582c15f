import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { asError, errorText } from "../../src/rpc/error-text.js";

describe("what is thrown", () => {
  it("is told by its own words, without a code before them", () => {
    expect(errorText(new ConnectError("no such agent", Code.NotFound))).toBe("no such agent");
    expect(errorText(new TypeError("no number"))).toBe("no number");
    expect(errorText("out of paper")).toBe("out of paper");
    expect(errorText(undefined)).toBe("undefined");
  });

  it("stays the error that it is, and becomes one where it is none", () => {
    const error = new RangeError("too many");
    expect(asError(error)).toBe(error);
    expect(asError("out of paper")).toEqual(new Error("out of paper"));
  });
});
