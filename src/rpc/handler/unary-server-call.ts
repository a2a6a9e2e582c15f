import { PacketKind } from "../../codec/index.js";
import { type Answer, invokeUnary } from "./invoke.js";
import { ServerCall } from "./server-call.js";
import { isThenable } from "./thenable.js";

/** A call with one request and one answer, on the server side. */
export class UnaryServerCall extends ServerCall {
  #hasRequest = false;

  onMessage(body: Uint8Array): boolean {
    // one request is all that a unary call takes: more are ignored
    if (this.isOver || this.#hasRequest) return true;
    this.#hasRequest = true;
    const { registered, side } = this.served;
    try {
      if (registered.spec?.kind !== "unary") return true;
      const answer = invokeUnary(registered, registered.spec, side.decode(body), this.context);
      if (!isThenable(answer)) this.#answer(answer);
      else {
        answer.then(
          (value) => this.#answer(value),
          (error: unknown) => this.fail(error),
        );
      }
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  onCloseSend(): void {
    if (!this.isOver && !this.#hasRequest) this.failWithoutRequest();
  }

  /** The only answer, and the end. */
  #answer(answer: Answer): void {
    if (this.isOver) return;
    try {
      this.sendPacket(PacketKind.Message, this.encode(answer), true);
      this.over(undefined);
    } catch (error) {
      this.fail(error);
    }
  }
}
