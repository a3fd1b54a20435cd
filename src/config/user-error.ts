/** An error that the user can mend: its message is one line for them, without a stack trace. */
export abstract class UserError extends Error {
  /** What the process ends with. */
  abstract readonly exitCode: number;
}
