import { InputError } from '../../config/input-error.js';

/** What was asked of the AI Configurator tables is not there, or cannot be; one line that says what is. */
export class AicError extends InputError {
  override readonly name = 'AicError';
}
