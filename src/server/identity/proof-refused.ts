/** A proof of identity that is not believed. The message is for the caller: nothing of the proof is in it. */
export class ProofRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProofRefused";
  }
}

/** A proof whose signature holds, and that does not say what it must. */
export class ClaimsUnreadable extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ClaimsUnreadable";
  }
}
