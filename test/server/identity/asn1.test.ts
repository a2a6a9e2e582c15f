import { rootCertificates } from "node:tls";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Asn1Error, integerOf, octetsOf, readAsn1 } from "../../../src/server/identity/asn1.js";
import { readCertificate } from "../../../src/server/identity/certificate.js";
import { runs } from "../../support/scale.js";
import { der, indefinite } from "./certificates.js";

describe("readAsn1", () => {
  it("reads values with short and long lengths, and their parts", () => {
    const long = der(0x04, Buffer.alloc(300, 7));
    const value = readAsn1(der(0x30, der(0x02, Buffer.of(5)), long));
    expect(value.parts.map(({ tag, content }) => [tag, content.length])).toEqual([
      [0x02, 1],
      [0x04, 300],
    ]);
    expect(Buffer.from(value.parts[1]?.encoded ?? [])).toEqual(long);
  });

  it("reads values whose end is marked, and octet strings in pieces", () => {
    const pieces = [der(0x04, Buffer.from("ab")), indefinite(0x24, der(0x04, Buffer.from("c")))];
    const value = readAsn1(indefinite(0x30, indefinite(0x24, ...pieces), der(0x02, Buffer.of(1))));
    expect(value.parts.map(({ isIndefinite }) => isIndefinite)).toEqual([true, false]);
    expect(Buffer.from(value.parts[0] === undefined ? [] : octetsOf(value.parts[0])).toString()).toBe("abc");
  });

  it.each([
    ["nothing", []],
    ["a tag alone", [0x30]],
    ["less than the length says", [0x04, 5, 1]],
    ["a part longer than the whole", [0x30, 3, 0x04, 5, 1]],
    ["more bytes behind", [0x05, 0, 0]],
    ["a length of five bytes", [0x04, 0x85, 0, 0, 0, 0, 1, 1]],
    ["a tag of two bytes", [0x1f, 0x81, 1, 0]],
    ["a value without parts and without length", [0x04, 0x80, 0, 0]],
    ["an end that does not come", [0x30, 0x80, 0x05, 0]],
    ["values nested too deep", Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 0x30 : 0x80))],
  ])("%s is an error", (_what, bytes) => {
    expect(() => readAsn1(Uint8Array.from(bytes))).toThrow(Asn1Error);
  });

  it("numbers that are negative or large are not small numbers", () => {
    expect(integerOf(readAsn1(der(0x02, Buffer.of(1, 0))))).toBe(256);
    expect(() => integerOf(readAsn1(der(0x02, Buffer.of(0xff))))).toThrow(Asn1Error);
    expect(() => integerOf(readAsn1(der(0x02, Buffer.of(1, 0, 0, 0, 0))))).toThrow(Asn1Error);
  });

  it("reads any bytes, or says why not", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(readAsn1(bytes).encoded.length).toBe(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Asn1Error);
        }
      }),
      runs(1_000),
    );
  });
});

describe("readCertificate", () => {
  it("reads all certificates that Node trusts", () => {
    expect(rootCertificates.length).toBeGreaterThan(100);
    const roots = rootCertificates.map((pem) => readCertificate(pem));
    expect(roots.filter(({ x509 }) => x509.ca).length).toBeGreaterThan(100);
  });
});
