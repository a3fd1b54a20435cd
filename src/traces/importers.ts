import { azure, burstgpt, splitwise, vidur } from './csv.js';
import type { Importer } from './form.js';
import type { FormatName } from './formats.js';
import {
  aiperfRecords,
  bailian,
  dynamoRequests,
  llmservingsim,
  mooncake,
  requestLog,
  sharegpt,
  tracelab,
} from './jsonl.js';
import { aiperfInputs, llmservingsimSessions } from './sessions.js';
import { weka } from './weka.js';

/** Importers by the name that a user gives. */
export const IMPORTERS: Readonly<Record<FormatName, Importer>> = {
  aiperf: aiperfRecords,
  'aiperf-inputs': aiperfInputs,
  azure,
  bailian,
  burstgpt,
  'dynamo-requests': dynamoRequests,
  llmservingsim,
  'llmservingsim-sessions': llmservingsimSessions,
  mooncake,
  requests: requestLog,
  sharegpt,
  splitwise,
  tracelab,
  vidur,
  weka,
};
