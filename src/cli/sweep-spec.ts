import { studyOfAiconfigurator } from '../sweep/dialects/aiconfigurator.js';
import { isAisimulate, studyOfAisimulate } from '../sweep/dialects/aisimulate.js';
import type { MadeStudy } from '../sweep/dialects/made-study.js';
import { SpecDocument } from '../sweep/document.js';
import { isStudy } from '../sweep/study/read-spec.js';
import type { SweepFlags } from './sweep-flags.js';

/** What is to be searched: a study, whoever's words it is in, or a spec of the reference's search. */
export interface OpenedSpec {
  document: SpecDocument;
  kind: 'study' | 'reference';
}

/** @throws {InputError} for a file that cannot be read, and for arguments that are not understood */
export function openSpec(path: string | undefined, flags: SweepFlags): OpenedSpec {
  if (path === undefined)
    return made('--aiconfigurator', studyOfAiconfigurator(flags.aiconfigurator!), flags);
  const document = SpecDocument.read(path);
  if (isAisimulate(document)) return made(path, studyOfAisimulate(document), flags);
  return { document, kind: isStudy(document) ? 'study' : 'reference' };
}

function made(path: string, { study, unmapped }: MadeStudy, { quiet }: SweepFlags): OpenedSpec {
  for (const problem of quiet ? [] : unmapped)
    process.stderr.write(`dynosim: warning: ${path}: ${problem}\n`);
  return { document: SpecDocument.made(path, study), kind: 'study' };
}
