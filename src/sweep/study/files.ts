import type { JsonObject } from '../../config/json.js';
import { readJson } from '../../config/json.js';
import { yamlText } from '../../config/yaml.js';
import { sweepPage } from '../../report/page.js';
import { csvText } from '../table-files.js';
import { deploymentOf } from './deployment.js';
import type { Entry } from './ledger.js';
import { pictureOf } from './picture.js';
import { ledgerRecords, recommendationText } from './result-json.js';
import type { StudyResult } from './study.js';

/** Candidates that get files of their own. */
const TOP = 10;

/** The number of a recommendation in names of files. */
const numbered = (at: number) => String(at + 1).padStart(4, '0');

/** Paths of all files that an answer may have, within its folder. */
export function possibleFiles(): string[] {
  const numbers = Array.from({ length: TOP }, (_, at) => numbered(at));
  return [
    'recommendation.json',
    'recommendation.csv',
    'index.html',
    ...numbers.map((number) => `recommendations/${number}.yaml`),
    ...numbers.flatMap((number) => deploymentFiles(number)),
  ];
}

function deploymentFiles(number: string): string[] {
  return ['dgd.yaml', 'serve.sh', 'aiperf.sh'].map((name) => `deploy/${number}/${name}`);
}

/** The files of an answer by their paths within its folder. @param title of its page */
export function answerFiles(result: StudyResult, title: string): Map<string, string> {
  const files = new Map([
    ['recommendation.json', recommendationText(result)],
    ['recommendation.csv', csvText(ledgerRecords(result))],
    ['index.html', sweepPage(pictureOf(result, title))],
  ]);
  for (const [at, entry] of recommended(result).entries()) {
    const number = numbered(at);
    const { settings } = entry.job!;
    files.set(`recommendations/${number}.yaml`, yamlText(readJson(settings, 'candidate') as JsonObject));
    const deployment = deploymentOf(settings, `dynosim-${number}`);
    if (!deployment) continue;
    const [manifest, serve, benchmark] = deploymentFiles(number);
    files.set(manifest, deployment.manifest);
    files.set(serve, deployment.serve);
    files.set(benchmark, deployment.benchmark);
  }
  return files;
}

/** The best candidates; the one that misses the goals least where none keeps them. */
function recommended({ ranking, winner }: StudyResult): readonly Entry[] {
  if (ranking.length > 0) return ranking.slice(0, TOP);
  return winner?.job ? [winner] : [];
}
