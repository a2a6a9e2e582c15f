import { type Certificate, readCertificate } from "./certificate.js";

/**
 * Certificates of the configuration.
 * @param where names the option in errors.
 * @throws Error that says which one cannot be read.
 */
export function configuredCertificates(pems: readonly string[], where: string): Certificate[] {
  return pems.map((pem, index) => {
    try {
      return readCertificate(pem);
    } catch (cause) {
      const text = `${where}: number ${index + 1} is not a certificate; give each as a text in PEM`;
      throw new Error(text, { cause });
    }
  });
}
