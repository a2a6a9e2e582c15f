import { emptyBytes, PacketKind } from "../../codec/index.js";
import { MessageQueue, type MessageQueueOwner } from "../message-queue.js";
import { type Answer, invokeServerStreaming, invokeStreaming, type Request } from "./invoke.js";
import { ServerCall } from "./server-call.js";
import { isThenable } from "./thenable.js";

/**
 * A call with several messages in a direction, on the server side. Most of them wait for what may never come, so there
 * is no async function here, which would take as much memory as all the rest.
 */
export class StreamingServerCall extends ServerCall implements MessageQueueOwner<Request> {
  /** Requests, where there may be several. */
  #requests: MessageQueue<Request> | undefined;
  /** True once the one request has come, where there may be no more. */
  #hasRequest = false;
  #answers: AsyncIterator<Answer> | undefined;
  #onAnswer: ((result: IteratorResult<Answer>) => void) | undefined;
  #onFailure: ((error: unknown) => void) | undefined;
  #waitsForRoom = false;

  override begin(): void {
    super.begin();
    const { registered } = this.served;
    const { spec } = registered;
    if (spec?.kind !== "client_streaming" && spec?.kind !== "bidi_streaming") return;
    const requests = new MessageQueue<Request>(this);
    this.#requests = requests;
    this.#run(() => invokeStreaming(registered, spec, requests, this.context));
  }

  onMessage(body: Uint8Array): boolean {
    if (this.isOver) return true;
    if (this.#requests !== undefined) return this.#requests.push(body);
    // one request is all that a server-streaming call takes: more are ignored
    const { registered } = this.served;
    const { spec } = registered;
    if (this.#hasRequest || spec?.kind !== "server_streaming") return true;
    this.#hasRequest = true;
    this.#run(() => invokeServerStreaming(registered, spec, this.decode(body), this.context));
    return true;
  }

  override get isBehind(): boolean {
    return this.#requests?.isAwaited === false;
  }

  override get heldBytes(): number {
    return this.#requests?.heldBytes ?? 0;
  }

  onCloseSend(): void {
    if (this.isOver) return;
    if (this.#requests !== undefined) this.#requests.close();
    else if (!this.#hasRequest) this.failWithoutRequest();
  }

  override onWritable(): void {
    if (!this.#waitsForRoom) return;
    this.#waitsForRoom = false;
    this.#next();
  }

  // ---- for the queue of requests ----

  decode(bytes: Uint8Array): Request {
    return this.served.side.decode(bytes);
  }

  onRoom(): void {
    this.host.onRoom();
  }

  onReturn(): void {}

  // ---- inside ----

  #run(invoke: () => AsyncIterable<Answer> | Promise<AsyncIterable<Answer>>): void {
    const fail = (error: unknown) => this.fail(error);
    const begin = (answers: AsyncIterable<Answer>) => {
      this.#answers = answers[Symbol.asyncIterator]();
      this.#onAnswer = (result) => this.#takeAnswer(result);
      this.#onFailure = fail;
      this.#next();
    };
    try {
      const answers = invoke();
      if (isThenable(answers)) Promise.resolve(answers).then(begin).catch(fail);
      else begin(answers);
    } catch (error) {
      fail(error);
    }
  }

  /** Asks the handler for its next answer, if anybody wants one. */
  #next(): void {
    const answers = this.#answers;
    if (this.isOver || answers === undefined) {
      this.#letGo();
      return;
    }
    try {
      const answer: unknown = answers.next();
      // an iterator written by hand may give the answer itself
      const promise = answer instanceof Promise ? answer : Promise.resolve(answer);
      promise.then(this.#onAnswer, this.#onFailure);
    } catch (error) {
      this.fail(error);
    }
  }

  #takeAnswer({ done, value }: IteratorResult<Answer>): void {
    if (this.isOver) {
      if (!done) this.#letGo();
      return;
    }
    try {
      if (done) {
        this.sendPacket(PacketKind.CloseSend, emptyBytes);
        this.over(undefined);
      } else if (this.sendPacket(PacketKind.Message, this.encode(value))) {
        this.#next();
      } else {
        this.#waitsForRoom = true;
      }
    } catch (error) {
      this.fail(error);
      this.#letGo();
    }
  }

  /** A call that ended before its handler: the handler's own clean-up runs, nobody waits for it. */
  #letGo(): void {
    const answers = this.#answers;
    this.#answers = undefined;
    try {
      Promise.resolve(answers?.return?.()).catch(ignore);
    } catch {
      // as if it had been rejected
    }
  }

  protected override over(reason: unknown): void {
    super.over(reason);
    if (reason !== undefined) this.#requests?.abort(reason);
    this.onWritable();
  }
}

function ignore(): void {}
