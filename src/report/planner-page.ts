import { join } from 'node:path';
import type { PlannerOutcome } from './planner-outcome.js';

/**
 * Where the reference writes the page of its planner: under the name that is asked for, or that of the last tick on a clock that
 * began in 1970.
 * @param isTaken whether a file is there; without a name of its own a page takes the next number
 * @returns nothing where no page is asked for, or no tick was worth one
 */
export function plannerPagePath(
  { page, recordedMs }: PlannerOutcome,
  isTaken: (path: string) => boolean,
): string | undefined {
  if (!page || recordedMs === undefined) return undefined;
  if (page.fileName !== undefined) return join(page.folder, page.fileName);
  const stamp = new Date(recordedMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_');
  for (let number = 1; ; number++) {
    const path = join(page.folder, `planner_report_${stamp}_${String(number).padStart(3, '0')}.html`);
    if (!isTaken(path)) return path;
  }
}
