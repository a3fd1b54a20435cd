import { parse as parseYaml } from 'yaml';
import { InputError } from './input-error.js';

/** How requests of one class queue. */
export interface PolicyClass {
  name: string;
  queuePolicy: 'fcfs' | 'lcfs' | 'wspt';
  /** Tokens of credit a round. */
  quantum: number;
  /** A target is busy above this many tokens in prefill, or above this part of a pass; undefined never. */
  busyTokens: number | undefined;
  busyFraction: number | undefined;
  /** Limits per target of what may wait. */
  requestLimit: number | undefined;
  inputTokenLimit: number | undefined;
  cachedTokenLimit: number | undefined;
}

/** Classes, and which requests belong to which: by explicit name, or by family and uncached length. */
export interface PolicyProfile {
  classes: readonly PolicyClass[];
  /** Index of explicit classes by name. */
  explicit: ReadonlyMap<string, number>;
  families: ReadonlyMap<string, number>;
  defaultFamily: number;
  /** Least uncached tokens of each bucket, ascending. */
  bucketTokens: readonly number[];
  /** Class index by family and bucket. */
  table: readonly (readonly number[])[];
}

interface RawClass {
  name?: unknown;
  policy_family?: unknown;
  cache_bucket?: unknown;
  queue_policy?: unknown;
  quantum?: unknown;
  prefill_busy_threshold?: unknown;
  prefill_busy_threshold_frac?: unknown;
  request_queue_limit_per_worker?: unknown;
  raw_isl_token_queue_limit_per_worker?: unknown;
  cached_token_queue_limit_per_worker?: unknown;
  admission?: unknown;
}

const PROFILE_KEYS = ['default_policy_family', 'uncached_isl_buckets', 'policy_classes'];
const CLASS_KEYS = [
  'name',
  'policy_family',
  'cache_bucket',
  'queue_policy',
  'quantum',
  'prefill_busy_threshold',
  'prefill_busy_threshold_frac',
  'request_queue_limit_per_worker',
  'raw_isl_token_queue_limit_per_worker',
  'cached_token_queue_limit_per_worker',
  'admission',
];
const NAME = /^[A-Za-z0-9_.-]+$/;

/**
 * Reads the text of a file of router policy classes.
 * @param path its name, for messages
 * @param modelName picks the profile of a model, where the file has one; otherwise the root profile counts
 * @returns the profile; undefined when the file has none that applies
 * @throws {InputError} for the first problem
 */
export function readRouterPolicy(
  text: string,
  path: string,
  modelName: string | undefined,
): PolicyProfile | undefined {
  const root = asMap(readYaml(text, path), path);
  refuseUnknown(root, [...PROFILE_KEYS, 'models'], path);
  const models =
    root.models === undefined || root.models === null ? {} : asMap(root.models, `${path}: models`);
  const given = PROFILE_KEYS.filter((key) => root[key] !== undefined && root[key] !== null);
  if (given.length > 0 && given.length < PROFILE_KEYS.length)
    throw new InputError(`${path}: the root profile needs all of ${PROFILE_KEYS.join(', ')}`);
  if (given.length === 0 && Object.keys(models).length === 0)
    throw new InputError(`${path}: needs a root profile or at least one entry under models`);
  const rootProfile = given.length > 0 ? new ProfileReader(root, path).read() : undefined;
  const profiles = new Map<string, PolicyProfile>();
  for (const [name, value] of Object.entries(models)) {
    const where = `${path}: models.${name}`;
    if (name.trim() === '') throw new InputError(`${path}: models: a name must not be empty`);
    const profile = asMap(value, where);
    refuseUnknown(profile, PROFILE_KEYS, where);
    profiles.set(name, new ProfileReader(profile, where).read());
  }
  return (modelName === undefined ? undefined : profiles.get(modelName)) ?? rootProfile;
}

function readYaml(text: string, path: string): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    throw new InputError(`${path}: not valid YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

function asMap(value: unknown, where: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new InputError(`${where}: expected a mapping`);
}

function asList(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new InputError(`${where}: expected a list`);
}

function refuseUnknown(map: Record<string, unknown>, known: readonly string[], where: string): void {
  for (const key of Object.keys(map))
    if (!known.includes(key))
      throw new InputError(`${where}: ${key}: unknown key; known are ${known.join(', ')}`);
}

class ProfileReader {
  private readonly buckets: string[] = [];
  private readonly bucketTokens: number[] = [];
  private readonly classes: PolicyClass[] = [];
  private readonly bindings: ({ family: string; bucket: string } | undefined)[] = [];
  private readonly families = new Map<string, number>();

  constructor(
    private readonly profile: Record<string, unknown>,
    private readonly where: string,
  ) {}

  private fail(problem: string): never {
    throw new InputError(`${this.where}: ${problem}`);
  }

  read(): PolicyProfile {
    const defaultFamily = this.name(this.profile.default_policy_family, 'default_policy_family');
    const items = asList(this.profile.policy_classes, `${this.where}: policy_classes`);
    if (items.length === 0) this.fail('policy_classes: must not be empty');
    this.readBuckets();
    for (const item of items) this.readClass(asMap(item, `${this.where}: policy_classes`));
    const family = this.families.get(defaultFamily);
    if (family === undefined) this.fail(`default_policy_family: no class has the family "${defaultFamily}"`);
    return {
      classes: this.classes,
      explicit: this.explicitClasses(),
      families: this.families,
      defaultFamily: family!,
      bucketTokens: this.bucketTokens,
      table: this.table(),
    };
  }

  private name(value: unknown, what: string): string {
    if (typeof value !== 'string' || !NAME.test(value))
      this.fail(
        `${what}: must be a name of letters, digits, "_", "." and "-", found ${JSON.stringify(value)}`,
      );
    return value as string;
  }

  private uint(value: unknown, what: string): number | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      this.fail(`${what}: expected an unsigned integer, found ${JSON.stringify(value)}`);
    return value as number;
  }

  private readBuckets(): void {
    const items = asList(this.profile.uncached_isl_buckets, `${this.where}: uncached_isl_buckets`);
    if (items.length === 0) this.fail('uncached_isl_buckets: must not be empty');
    for (const item of items) {
      const map = asMap(item, `${this.where}: uncached_isl_buckets`);
      refuseUnknown(map, ['min_tokens', 'bucket'], `${this.where}: uncached_isl_buckets`);
      const tokens =
        this.uint(map.min_tokens, 'min_tokens') ?? this.fail('min_tokens: missing in uncached_isl_buckets');
      const bucket = this.name(map.bucket, 'bucket');
      const last = this.bucketTokens.at(-1);
      if (last === undefined && tokens !== 0)
        this.fail(`min_tokens: the first bucket must begin at 0, found ${tokens}`);
      if (last !== undefined && tokens <= last)
        this.fail(`min_tokens: must rise strictly, found ${tokens} after ${last}`);
      if (this.buckets.includes(bucket)) this.fail(`bucket: "${bucket}" is given twice`);
      this.buckets.push(bucket);
      this.bucketTokens.push(tokens);
    }
  }

  private readClass(raw: RawClass & Record<string, unknown>): void {
    refuseUnknown(raw, CLASS_KEYS, `${this.where}: policy_classes`);
    const name = this.name(raw.name, 'policy class name');
    const where = `policy class "${name}"`;
    const quantum = this.uint(raw.quantum, `${where}: quantum`) ?? this.fail(`${where}: quantum: missing`);
    if (quantum === 0) this.fail(`${where}: quantum: must be greater than 0`);
    const policy = raw.queue_policy ?? 'fcfs';
    if (policy !== 'fcfs' && policy !== 'wspt')
      this.fail(`${where}: queue_policy: must be fcfs or wspt, found ${policy}`);
    const fraction = raw.prefill_busy_threshold_frac ?? undefined;
    if (
      fraction !== undefined &&
      !(typeof fraction === 'number' && fraction >= 0 && Number.isFinite(fraction))
    )
      this.fail(`${where}: prefill_busy_threshold_frac: must be finite and not negative, found ${fraction}`);
    this.bind(raw, where);
    if (this.classes.some((known) => known.name === name)) this.fail(`${where}: is given twice`);
    this.classes.push({
      name,
      queuePolicy: policy as PolicyClass['queuePolicy'],
      quantum,
      busyTokens: this.uint(raw.prefill_busy_threshold, `${where}: prefill_busy_threshold`),
      busyFraction: fraction as number | undefined,
      requestLimit: this.uint(raw.request_queue_limit_per_worker, `${where}: request_queue_limit_per_worker`),
      inputTokenLimit: this.uint(
        raw.raw_isl_token_queue_limit_per_worker,
        `${where}: raw_isl_token_queue_limit_per_worker`,
      ),
      cachedTokenLimit: this.uint(
        raw.cached_token_queue_limit_per_worker,
        `${where}: cached_token_queue_limit_per_worker`,
      ),
    });
  }

  private bind(raw: RawClass, where: string): void {
    const hasFamily = raw.policy_family !== undefined && raw.policy_family !== null;
    const hasBucket = raw.cache_bucket !== undefined && raw.cache_bucket !== null;
    if (hasFamily !== hasBucket) this.fail(`${where}: give both policy_family and cache_bucket, or neither`);
    if (!hasFamily) {
      this.bindings.push(undefined);
      return;
    }
    const family = this.name(raw.policy_family, `${where}: policy_family`);
    const bucket = this.name(raw.cache_bucket, `${where}: cache_bucket`);
    if (!this.buckets.includes(bucket)) this.fail(`${where}: cache_bucket: unknown bucket "${bucket}"`);
    if (!this.families.has(family)) this.families.set(family, this.families.size);
    this.bindings.push({ family, bucket });
  }

  private explicitClasses(): Map<string, number> {
    const explicit = new Map<string, number>();
    this.classes.forEach(({ name }, index) => {
      if (this.bindings[index]) return;
      if (this.families.has(name)) this.fail(`policy class "${name}": has the name of a policy family`);
      explicit.set(name, index);
    });
    return explicit;
  }

  private table(): number[][] {
    const table = [...this.families].map(() => this.buckets.map(() => -1));
    this.bindings.forEach((binding, index) => {
      if (!binding) return;
      const row = table[this.families.get(binding.family)!];
      const column = this.buckets.indexOf(binding.bucket);
      if (row[column] >= 0)
        this.fail(`two policy classes for family "${binding.family}" and bucket "${binding.bucket}"`);
      row[column] = index;
    });
    for (const [family, row] of this.families)
      this.buckets.forEach((bucket, column) => {
        if (table[row][column] < 0)
          this.fail(`no policy class for family "${family}" and bucket "${bucket}"`);
      });
    return table;
  }
}
