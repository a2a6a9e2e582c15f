/** Why the signal of what a session runs has ended, where the session was told to close. */
export class SessionClosing extends Error {
  constructor() {
    super("the session closes");
  }
}
