/** The run failed for a reason that lies in its input's behaviour. The message is one line and says what to change. */
export class RunError extends Error {
  override readonly name = 'RunError';
}
