import { existsSync } from 'node:fs';
import { plannerPagePath } from '../report/planner-page.js';
import type { ReplayResult } from '../report/result.js';
import { writeOutputs } from './output.js';

/**
 * Writes the page that the settings of the reference's planner ask for, unless they say `"report_interval_hours": null`.
 * @returns its path; nothing where none is asked for
 * @throws {InputError} when it cannot be written, or has a name that is taken
 */
export async function writePlannerPage(
  { report, planner }: ReplayResult,
  label: string,
  force: boolean,
): Promise<string | undefined> {
  const path = planner && plannerPagePath(planner, existsSync);
  if (path === undefined) return undefined;
  const [{ htmlPage }, { plannerPicture }] = await Promise.all([
    import('../report/page.js'),
    import('../report/planner-picture.js'),
  ]);
  const { pictures: _, ...plain } = report;
  const page = htmlPage([{ label, report: { ...plain, planner_picture: plannerPicture(planner!) } }]);
  await writeOutputs(new Map([[path, [page]]]), 'report_filename', { force });
  return path;
}
