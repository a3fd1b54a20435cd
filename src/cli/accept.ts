import { Command } from 'commander';
import type { Acceptance, AcceptLimits } from '../calibrate/accept.js';
import { InputError } from '../config/input-error.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { RunError } from '../simulation/run-error.js';
import { float } from './flags.js';
import { addMeasuredFlags, MEASURED_FLAGS, type MeasuredFlags, measuredScenario } from './measured-flags.js';
import { addConfigFlags, addSettingFlags } from './replay-flags.js';

const EXAMPLES = `
Compared are TTFT and ITL (median and 90th percentile), the part of prompts found in caches, and requests per minute.
The exit code is 0 where all limits hold, and 1 where the simulation is not to be trusted for this fleet.

Examples:
  dynosim accept --measured window.jsonl --trace window-trace.jsonl --config calibrated.yaml
  dynosim accept --measured profile_export.jsonl --measured-format aiperf --trace trace.jsonl --ttft-limit 0.1`;

interface Flags extends MeasuredFlags {
  ttftLimit: number;
  itlLimit: number;
  hitRateLimit: number;
  throughputLimit: number;
}

/** Flags that are about comparing, and no part of a replay. */
const OWN_FLAGS = [...MEASURED_FLAGS, 'ttftLimit', 'itlLimit', 'hitRateLimit', 'throughputLimit', 'json'];

export function acceptCommand(): Command {
  const command = new Command('accept').description(
    'Tell whether a simulated fleet may be trusted: a measured window against its simulation',
  );
  addMeasuredFlags(command);
  command
    .option('--ttft-limit <part>', 'most relative difference of TTFT', float, 0.15)
    .option('--itl-limit <part>', 'most relative difference of ITL', float, 0.1)
    .option('--hit-rate-limit <part>', 'most difference of the hit rate, as part of 1', float, 0.03)
    .option('--throughput-limit <part>', 'most relative difference of requests per minute', float, 0.05)
    .option('--json', 'print the comparison as JSON')
    .addHelpText('after', EXAMPLES);
  addSettingFlags(command, ['Synthetic load', 'Goals']);
  addConfigFlags(command);
  return command.action(async (flags: Flags) => {
    const scenario = await measuredScenario(command, flags, OWN_FLAGS);
    if (scenario) await runAccept(scenario, command.opts());
  });
}

async function runAccept(scenario: Scenario, flags: Flags): Promise<void> {
  const limits: AcceptLimits = {
    ttft: checked('--ttft-limit', flags.ttftLimit),
    itl: checked('--itl-limit', flags.itlLimit),
    hitRate: checked('--hit-rate-limit', flags.hitRateLimit),
    throughput: checked('--throughput-limit', flags.throughputLimit),
  };
  const [{ accept }, { readMeasured }, { withSource }, { replay }] = await Promise.all([
    import('../calibrate/accept.js'),
    import('../calibrate/measured.js'),
    import('./trace-source.js'),
    import('../replay.js'),
  ]);
  const rows = await withSource(flags.measured, async (source) => readMeasured(source, flags.measuredFormat));
  const { report, latencies } = await replay(scenario);
  const found = accept(
    rows,
    {
      ttftMs: latencies.ttftMs,
      tpotMs: latencies.tpotMs,
      hitRate: report.first_admission_prefix_cache_reused_ratio as number,
      requestsPerMinute: (report.request_throughput_rps as number) * 60,
    },
    limits,
  );
  process.stdout.write(flags.json ? `${JSON.stringify(found, null, 2)}\n` : acceptanceText(found));
  if (!found.accepted)
    throw new RunError(
      `untrusted: the simulation of ${found.requests} requests is not within all limits; calibrate it, or do not rely on it for this fleet`,
    );
}

function checked(flag: string, value: number): number {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new InputError(`${flag}: must be finite and not negative, found ${value}`);
  return value;
}

function acceptanceText({ accepted, requests, checks, unknown }: Acceptance): string {
  const number = (value: number) => (Number.isFinite(value) ? value.toPrecision(5) : 'none');
  const lines = checks.map(({ key, measured, simulated, difference, limit, holds }) => {
    const percent = `${(difference * 100).toFixed(1)} %`.padStart(9);
    const bound = `(limit ${(limit * 100).toFixed(1)} %)`;
    return `${key.padEnd(20)} ${number(measured).padStart(10)} ${number(simulated).padStart(10)} ${percent} ${bound.padEnd(16)} ${holds ? 'holds' : 'DIFFERS'}`;
  });
  const heads = `${''.padEnd(20)} ${'measured'.padStart(10)} ${'simulated'.padStart(10)}`;
  const missing = unknown.length > 0 ? [`not measured: ${unknown.join(', ')}`] : [];
  const verdict = accepted ? [`accepted: the simulation of ${requests} requests is within all limits`] : [];
  return `${[heads, ...lines, ...missing, ...verdict].join('\n')}\n`;
}
