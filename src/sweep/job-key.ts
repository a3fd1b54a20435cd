import { createHash } from 'node:crypto';
import type { Job } from './job.js';

/** A short name of a job, equal for equal ones. */
export function jobKey({ settings, part, bounds }: Job): string {
  return createHash('sha256')
    .update(JSON.stringify([settings, part, bounds]))
    .digest('hex')
    .slice(0, 32);
}
