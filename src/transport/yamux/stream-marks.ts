const Mark = {
  Ours: 1 << 0,
  Unacknowledged: 1 << 1,
  InSendList: 1 << 2,
  InCreditList: 1 << 3,
  HasEnd: 1 << 4,
  EndDelivered: 1 << 5,
  Delivering: 1 << 6,
  FinAfterQueue: 1 << 7,
  WantsWritable: 1 << 8,
} as const;

/**
 * What is true of a stream, in one bit each: a control plane has a great many streams, most of them idle.
 *
 * @internal
 */
export abstract class StreamMarks {
  #bits = 0;

  /** @internal True where this side opened it. */
  get isOurs(): boolean {
    return (this.#bits & Mark.Ours) !== 0;
  }

  set isOurs(is: boolean) {
    this.#set(Mark.Ours, is);
  }

  /** @internal True while it counts as opened and not acknowledged. */
  get isUnacknowledged(): boolean {
    return (this.#bits & Mark.Unacknowledged) !== 0;
  }

  set isUnacknowledged(is: boolean) {
    this.#set(Mark.Unacknowledged, is);
  }

  /** @internal True while the session has it in its list of streams to send for. */
  get isInSendList(): boolean {
    return (this.#bits & Mark.InSendList) !== 0;
  }

  set isInSendList(is: boolean) {
    this.#set(Mark.InSendList, is);
  }

  /** @internal True while the session has it in its list of streams that owe credit. */
  get isInCreditList(): boolean {
    return (this.#bits & Mark.InCreditList) !== 0;
  }

  set isInCreditList(is: boolean) {
    this.#set(Mark.InCreditList, is);
  }

  /** @internal True once the peer's FIN has come. */
  protected get hasEnd(): boolean {
    return (this.#bits & Mark.HasEnd) !== 0;
  }

  protected set hasEnd(is: boolean) {
    this.#set(Mark.HasEnd, is);
  }

  /** @internal True once the receiver has been told of it. */
  protected get isEndDelivered(): boolean {
    return (this.#bits & Mark.EndDelivered) !== 0;
  }

  protected set isEndDelivered(is: boolean) {
    this.#set(Mark.EndDelivered, is);
  }

  /** @internal True while the receiver takes bytes. */
  protected get isDelivering(): boolean {
    return (this.#bits & Mark.Delivering) !== 0;
  }

  protected set isDelivering(is: boolean) {
    this.#set(Mark.Delivering, is);
  }

  /** @internal True where FIN is to follow what is held back. */
  protected get finAfterQueue(): boolean {
    return (this.#bits & Mark.FinAfterQueue) !== 0;
  }

  protected set finAfterQueue(is: boolean) {
    this.#set(Mark.FinAfterQueue, is);
  }

  /** @internal True where the receiver is to hear that everything has left. */
  protected get wantsWritable(): boolean {
    return (this.#bits & Mark.WantsWritable) !== 0;
  }

  protected set wantsWritable(is: boolean) {
    this.#set(Mark.WantsWritable, is);
  }

  #set(mark: number, is: boolean): void {
    if (is) this.#bits |= mark;
    else this.#bits &= ~mark;
  }
}
