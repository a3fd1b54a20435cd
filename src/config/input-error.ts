/** What a user gave is wrong. The message is one line that says where, what was found and what is allowed. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
