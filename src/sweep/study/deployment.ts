import { JsonNumber, type JsonObject, type JsonValue, readJson } from '../../config/json.js';
import type { Scenario, StageSpec } from '../../config/scenario/scenario.js';
import { yamlText } from '../../config/yaml.js';
import { readScenario } from '../../setup/scenario.js';
import { frontendVariables, workerCommand } from './engine-flags.js';

/** A release of the images that the manifest names. */
const IMAGE_TAG = '1.4.2';
const IMAGES: Record<string, string> = {
  vllm: 'vllm-runtime',
  sglang: 'sglang-runtime',
  trtllm: 'tensorrtllm-runtime',
};
/** GPUs of a node: a worker with more of them spans several. */
const NODE_GPUS = 8;

/** What it takes to run a candidate for real; nothing for fleets whose timing names no model. */
export interface Deployment {
  /** A DynamoGraphDeployment for Kubernetes. */
  manifest: string;
  /** Engine command lines for machines without Kubernetes. */
  serve: string;
  /** A benchmark of the same workload. */
  benchmark: string;
}

/** @param settings of the candidate as JSON text @param name of the deployment, in letters, digits and hyphens */
export function deploymentOf(settings: string, name: string): Deployment | undefined {
  const scenario = readScenario(readJson(settings, 'candidate'), 'candidate');
  const model = modelOf(scenario.stages[0]);
  if (model === undefined) return undefined;
  return {
    manifest: yamlText(manifestOf(scenario, model, name)),
    serve: serveScript(scenario, model),
    benchmark: benchmarkScript(scenario, model),
  };
}

/** The model that the timing of an engine is of. */
function modelOf({ engine }: StageSpec): string | undefined {
  return engine.timing?.type === 'roofline' ? engine.timing.model : engine.aic?.modelPath;
}

/** The manifest, by the schema of nvidia.com/v1alpha1. */
function manifestOf(scenario: Scenario, model: string, name: string): JsonObject {
  const backend = scenario.stages[0].engine.type.name;
  const image = `nvcr.io/nvidia/ai-dynamo/${IMAGES[backend] ?? IMAGES.vllm}:${IMAGE_TAG}`;
  const frontend = object({
    componentType: 'frontend',
    replicas: whole(1),
    envs: frontendVariables(scenario.router).map(([key, value]) => object({ name: key, value })),
    extraPodSpec: object({ mainContainer: object({ image }) }),
  });
  const workers = scenario.stages.map((stage): [string, JsonValue] => [
    serviceName(stage),
    workerService(stage, model, image),
  ]);
  return object({
    apiVersion: 'nvidia.com/v1alpha1',
    kind: 'DynamoGraphDeployment',
    metadata: object({ name }),
    spec: object({
      backendFramework: backend,
      services: new Map<string, JsonValue>([['Frontend', frontend], ...workers]),
    }),
  });
}

function serviceName({ name }: StageSpec): string {
  return name === '' ? 'Worker' : name === 'prefill' ? 'PrefillWorker' : 'DecodeWorker';
}

function workerService(stage: StageSpec, model: string, image: string): JsonObject {
  const { name, workers } = stage;
  const gpus = gpusOf(stage);
  const nodes = Math.ceil(gpus / NODE_GPUS);
  const [command, ...args] = workerCommand(stage, model, true);
  return object({
    envFromSecret: 'hf-token-secret',
    componentType: 'worker',
    ...(name !== '' && { subComponentType: name }),
    replicas: whole(workers),
    ...(nodes > 1 && { multinode: object({ nodeCount: whole(nodes) }) }),
    resources: object({ limits: object({ gpu: String(Math.ceil(gpus / nodes)) }) }),
    extraPodSpec: object({
      mainContainer: object({ image, command: [command, ...args.slice(0, 2)], args: args.slice(2) }),
    }),
  });
}

function gpusOf({ engine }: StageSpec): number {
  return engine.tensorParallel * engine.ranks;
}

function serveScript(scenario: Scenario, model: string): string {
  const { stages, router } = scenario;
  const variables = frontendVariables(router).map(([key, value]) => `${key}=${value} `);
  const lines = [
    '#!/bin/sh',
    '# Starts the fleet of this recommendation with Dynamo. Run the frontend once, and a worker as often as is said,',
    '# each on GPUs of its own.',
    `${variables.join('')}python3 -m dynamo.frontend --http-port 8000 &`,
  ];
  for (const stage of stages) {
    const what = stage.name === '' ? 'workers' : `${stage.name} workers`;
    lines.push('', `# ${stage.workers} ${what} of ${gpusOf(stage)} GPUs each`);
    lines.push(`${shellWords(workerCommand(stage, model, true))} &`);
    if (stages.length === 1)
      lines.push('# the same engine by itself:', `# ${shellWords(workerCommand(stage, model, false))}`);
  }
  return `${lines.join('\n')}\nwait\n`;
}

/** An AIPerf command that measures the workload of a scenario, whose export `dynosim calibrate` reads. */
function benchmarkScript({ workload }: Scenario, model: string): string {
  const words = ['aiperf', 'profile', '--model', model, '--url', 'http://localhost:8000'];
  words.push('--endpoint-type', 'chat', '--streaming', '--artifact-dir', 'measured');
  const notes: string[] = [];
  if (workload.isSynthetic) words.push(...syntheticWords(workload));
  else {
    words.push('--input-file', workload.traceFiles?.[0] ?? '', '--custom-dataset-type', 'mooncake_trace');
    if (workload.traceFormat !== 'mooncake')
      notes.push(`convert the trace first: dynosim trace convert (it is of format ${workload.traceFormat})`);
    if (workload.replayConcurrency === undefined) words.push('--fixed-schedule');
    if (workload.arrivalSpeedupRatio !== 1)
      notes.push(
        `scale the trace first: its arrivals are ${workload.arrivalSpeedupRatio} times as fast here`,
      );
  }
  if (workload.replayConcurrency !== undefined)
    words.push('--concurrency', String(workload.replayConcurrency));
  return [
    '#!/bin/sh',
    '# Measures the workload of this recommendation on the real fleet. To fit the simulated one to what comes out:',
    '# dynosim trace convert --from aiperf measured/profile_export.jsonl --output measured.jsonl',
    '# dynosim calibrate --measured measured/profile_export.jsonl --measured-format aiperf --trace measured.jsonl --config RECOMMENDATION.yaml',
    ...notes.map((note) => `# ${note}`),
    shellWords(words),
    '',
  ].join('\n');
}

function syntheticWords(workload: Scenario['workload']): string[] {
  const { inputTokens, outputTokens, requestCount, requestRate, arrivalIntervalMs } = workload;
  const { sharedPrefixRatio, numPrefixGroups, turnsPerSession } = workload;
  const rate = requestRate ?? (arrivalIntervalMs ? 1000 / arrivalIntervalMs : undefined);
  const prefix = Math.round((inputTokens ?? 0) * sharedPrefixRatio);
  const words = ['--synthetic-input-tokens-mean', String((inputTokens ?? 0) - prefix)];
  words.push('--synthetic-input-tokens-stddev', '0', '--output-tokens-mean', String(outputTokens));
  words.push('--output-tokens-stddev', '0', '--extra-inputs', 'ignore_eos:true');
  words.push('--extra-inputs', `min_tokens:${outputTokens}`);
  if (prefix > 0 && numPrefixGroups > 0)
    words.push('--prefix-prompt-length', String(prefix), '--num-prefix-prompts', String(numPrefixGroups));
  if (turnsPerSession > 1)
    words.push(
      '--conversation-num',
      String(requestCount),
      '--conversation-turn-mean',
      String(turnsPerSession),
    );
  else words.push('--request-count', String(requestCount));
  if (rate !== undefined)
    words.push('--request-rate', String(rate), '--request-rate-mode', requestRate ? 'poisson' : 'constant');
  return words;
}

function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}

function object(members: Record<string, JsonValue>): JsonObject {
  return new Map(Object.entries(members));
}

function whole(count: number): JsonNumber {
  return new JsonNumber(String(count));
}
