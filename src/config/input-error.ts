import { UserError } from './user-error.js';

/** What a user gave is wrong. The message says where, what was found and what is allowed. */
export class InputError extends UserError {
  override readonly name: string = 'InputError';
  readonly exitCode = 2;
}
