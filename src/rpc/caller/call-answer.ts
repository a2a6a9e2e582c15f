import type { DescMethod, DescService } from "@bufbuild/protobuf";

/** What a call is answered with. There are no headers or trailers on the wire, so both are made when asked for. */
export abstract class CallAnswer<Method extends DescMethod, Message> {
  readonly method: Method;
  readonly message: Message;
  #header: Headers | undefined;
  #trailer: Headers | undefined;

  constructor(method: Method, message: Message) {
    this.method = method;
    this.message = message;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get header(): Headers {
    this.#header ??= new Headers();
    return this.#header;
  }

  get trailer(): Headers {
    this.#trailer ??= new Headers();
    return this.#trailer;
  }
}
