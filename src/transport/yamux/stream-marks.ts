// The marks. Not the fields of one object: these numbers a minifier puts in their places.
const ours = 0x1;
const unacknowledged = 0x2;
const inSendList = 0x4;
const inCreditList = 0x8;
const hasEnd = 0x10;
const endDelivered = 0x20;
const delivering = 0x40;
const finAfterQueue = 0x80;
const wantsWritable = 0x100;

/**
 * What is true of a stream, in one bit each: a control plane has a great many streams, most of them idle.
 *
 * @internal
 */
export abstract class StreamMarks {
  #bits = 0;

  /** @internal True where this side opened it. */
  get isOurs(): boolean {
    return (this.#bits & ours) !== 0;
  }

  set isOurs(is: boolean) {
    this.#set(ours, is);
  }

  /** @internal True while it counts as opened and not acknowledged. */
  get isUnacknowledged(): boolean {
    return (this.#bits & unacknowledged) !== 0;
  }

  set isUnacknowledged(is: boolean) {
    this.#set(unacknowledged, is);
  }

  /** @internal True while the session has it in its list of streams to send for. */
  get isInSendList(): boolean {
    return (this.#bits & inSendList) !== 0;
  }

  set isInSendList(is: boolean) {
    this.#set(inSendList, is);
  }

  /** @internal True while the session has it in its list of streams that owe credit. */
  get isInCreditList(): boolean {
    return (this.#bits & inCreditList) !== 0;
  }

  set isInCreditList(is: boolean) {
    this.#set(inCreditList, is);
  }

  /** @internal True once the peer's FIN has come. */
  protected get hasEnd(): boolean {
    return (this.#bits & hasEnd) !== 0;
  }

  protected set hasEnd(is: boolean) {
    this.#set(hasEnd, is);
  }

  /** @internal True once the receiver has been told of it. */
  protected get isEndDelivered(): boolean {
    return (this.#bits & endDelivered) !== 0;
  }

  protected set isEndDelivered(is: boolean) {
    this.#set(endDelivered, is);
  }

  /** @internal True while the receiver takes bytes. */
  protected get isDelivering(): boolean {
    return (this.#bits & delivering) !== 0;
  }

  protected set isDelivering(is: boolean) {
    this.#set(delivering, is);
  }

  /** @internal True where FIN is to follow what is held back. */
  protected get finAfterQueue(): boolean {
    return (this.#bits & finAfterQueue) !== 0;
  }

  protected set finAfterQueue(is: boolean) {
    this.#set(finAfterQueue, is);
  }

  /** @internal True where the receiver is to hear that everything has left. */
  protected get wantsWritable(): boolean {
    return (this.#bits & wantsWritable) !== 0;
  }

  protected set wantsWritable(is: boolean) {
    this.#set(wantsWritable, is);
  }

  #set(mark: number, is: boolean): void {
    if (is) this.#bits |= mark;
    else this.#bits &= ~mark;
  }
}
