import type { FormatName } from '../config/trace-formats.js';
import { chat, sharegpt } from './chats.js';
import { claudeCode, codex } from './coding-agents.js';
import { azure, blis, burstgpt, servegen, splitwise, vidur } from './csv.js';
import type { Importer } from './form.js';
import {
  aiperfRecords,
  bailian,
  dynamoRequests,
  llmservingsim,
  mooncake,
  requestLog,
  tracelab,
} from './jsonl.js';
import { bench, lengths } from './lengths.js';
import { agenticMooncake, appliedCompute, mooncakeDelta } from './native.js';
import { otel } from './otel.js';
import { servegenChunks } from './servegen.js';
import { aiperfInputs, llmservingsimSessions } from './sessions.js';
import { weka } from './weka.js';

/** Importers by the name that a user gives. */
export const IMPORTERS: Readonly<Record<FormatName, Importer>> = {
  agentic_mooncake: agenticMooncake,
  aiperf: aiperfRecords,
  'aiperf-inputs': aiperfInputs,
  applied_compute_agentic: appliedCompute,
  azure,
  bailian,
  bench,
  blis,
  burstgpt,
  chat,
  'claude-code': claudeCode,
  codex,
  'dynamo-requests': dynamoRequests,
  llmservingsim,
  lengths,
  'llmservingsim-sessions': llmservingsimSessions,
  mooncake,
  'mooncake-delta': mooncakeDelta,
  otel,
  requests: requestLog,
  servegen,
  'servegen-chunks': servegenChunks,
  sharegpt,
  splitwise,
  tracelab,
  vidur,
  weka,
};
