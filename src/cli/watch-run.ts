import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { InputError } from '../config/input-error.js';
import { type JsonObject, jsonText } from '../config/json.js';
import { readYaml } from '../config/yaml.js';
import { percent } from '../report/words.js';
import { systemsFolder } from '../setup/engines.js';
import { SpecDocument } from '../sweep/document.js';
import type { Evaluator } from '../sweep/job.js';
import type { Entry } from '../sweep/study/ledger.js';
import { readStudySpec } from '../sweep/study/read-spec.js';
import type { Point } from '../sweep/study/space.js';
import type { StudySpec } from '../sweep/study/spec.js';
import { runStudy } from '../sweep/study/study.js';
import { nameOf, targetText } from '../sweep/study/words.js';
import { threadEvaluator } from '../sweep/threads.js';
import { pointOf, type Reconsidered, reconsider } from '../sweep/watch/reconsider.js';
import { readState, Shards, type WatchState } from '../sweep/watch/shards.js';
import type { WatchFlags } from './watch-flags.js';

const MS_PER_SECOND = 1000;

/** Considers shards as they come, until it is stopped. */
export async function runWatch(flags: WatchFlags): Promise<void> {
  const spec = readStudySpec(SpecDocument.read(flags.spec), systemsFolder(flags.aicSystems));
  for (const key of ['trace', 'input_tokens'])
    if (spec.base.has(key))
      throw new InputError(`${flags.spec}: base.${key}: the traffic comes from --trace-dir`);
  const shards = new Shards(flags.traceDir);
  mkdirSync(flags.state, { recursive: true });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const evaluator = threadEvaluator(flags.threads ?? availableParallelism());
  const watch = new Watch(spec, flags, shards, evaluator);
  try {
    while (!stop.signal.aborted) {
      const next = watch.next();
      if (next !== undefined) await watch.consider(next);
      else if (flags.once) break;
      else
        await setTimeout(flags.interval * MS_PER_SECOND, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    await evaluator.close();
  }
}

class Watch {
  private readonly records: string;
  private readonly window: string;
  private readonly spec: StudySpec;
  private readonly state: WatchState;

  constructor(
    spec: StudySpec,
    private readonly flags: WatchFlags,
    private readonly shards: Shards,
    private readonly evaluator: Evaluator,
  ) {
    this.records = join(flags.state, 'recommendations.jsonl');
    this.window = join(flags.state, 'window.jsonl');
    this.spec = { ...spec, base: new Map([...spec.base, ['trace', [this.window]]]) };
    this.state = readState(this.records);
  }

  /** The next shard that was not considered yet. */
  next(): string | undefined {
    const { lastShard } = this.state;
    return this.shards
      .complete(this.flags.once === true)
      .find((name) => lastShard === undefined || name > lastShard);
  }

  /** Considers the latest shards up to one. */
  async consider(shard: string): Promise<void> {
    const { flags, spec, evaluator } = this;
    const names = this.shards.complete(true).filter((name) => name <= shard);
    const recent = names.slice(-flags.shards);
    const requests = this.shards.join(recent, this.window);
    const point = this.deployed();
    if (requests === 0) this.record({ shard, event: 'empty' });
    else if (point) this.tell(shard, recent, await reconsider(spec, point, evaluator, flags.margin));
    else await this.begin(shard);
    this.state.lastShard = shard;
  }

  /** Where nothing is deployed yet, the answer of the whole study is taken for it. */
  private async begin(shard: string): Promise<void> {
    const { winner } = await runStudy(this.spec, this.evaluator);
    if (!winner) throw new InputError(`${this.flags.spec}: no candidate can be run on ${shard}`);
    const { status, values } = winner;
    this.record({ shard, event: 'begin', current: { name: nameOf(winner), status, values } }, winner);
    this.print(`${shard}: begins with ${nameOf(winner)}`);
  }

  private tell(shard: string, window: readonly string[], found: Reconsidered): void {
    const { current, best, gain, isWorthIt } = found;
    const [target] = this.spec.targets;
    const text = (entry: Entry) =>
      entry.values.length > 0 ? `${nameOf(entry)} (${targetText(target, entry.values[0])})` : nameOf(entry);
    const { status, reason, values } = current;
    const change = isWorthIt && best ? best : undefined;
    const now = { name: nameOf(current), status, reason, values };
    if (!change) {
      this.record({ shard, window, event: 'keep', current: now });
      const why = status === 'feasible' ? '' : `, though it misses the goals (${reason})`;
      this.print(`${shard}: keep ${text(current)}${why}`);
      return;
    }
    const recommended = {
      name: nameOf(change),
      values: change.values,
      gain: Number.isFinite(gain) ? gain : null,
      settings: JSON.parse(jsonText(withoutTrace(change))),
    };
    this.record(
      { shard, window, event: 'recommend', current: now, recommended },
      this.flags.follow ? change : undefined,
    );
    const why = Number.isFinite(gain)
      ? `${percent(gain)} better than ${text(current)}`
      : `since ${text(current)} misses the goals (${reason})`;
    process.stdout.write(`${shard}: change to ${text(change)}, ${why}\n`);
  }

  /** What is deployed, as a candidate; undefined at the beginning. */
  private deployed(): Point | undefined {
    const { current, spec } = this.flags;
    const settings = current === undefined ? this.state.deployed : settingsOf(current);
    if (!settings) return undefined;
    const point = pointOf(this.spec, settings);
    if (!point) throw new InputError(`${current ?? this.records}: is no candidate of ${spec}`);
    return point;
  }

  /** Writes a line about a shard, in one piece. @param deployed what counts as deployed from then on */
  private record(line: object, deployed?: Entry): void {
    const settings = deployed && withoutTrace(deployed);
    const text = JSON.stringify(line);
    const more = settings ? `,"deployed":${jsonText(settings)}` : '';
    appendFileSync(this.records, `${text.slice(0, -1)}${more}}\n`);
    if (settings) this.state.deployed = settings;
  }

  private print(line: string): void {
    if (!this.flags.quiet) process.stdout.write(`${line}\n`);
  }
}

function withoutTrace({ candidate }: Entry): JsonObject {
  return new Map([...candidate.settings].filter(([key]) => key !== 'trace'));
}

/** Settings of a deployment's file. @throws {InputError} */
function settingsOf(path: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`--current: cannot read ${path} (${(error as Error).message})`);
  }
  return new Map([...readYaml(text, path)].map(([key, { value }]) => [key, value]));
}
