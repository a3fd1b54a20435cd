import type { ReplayOptions } from '../config/replay-options.js';

/** Configuration keys and new values, as in `{"decode_engine_args.max_num_seqs": 32}`; null takes a key out. */
export type Change = Record<string, unknown>;

/** Options that hold JSON text, whose members a change can name. */
const OBJECTS = new Set([
  'extra_engine_args',
  'prefill_engine_args',
  'decode_engine_args',
  'router_config',
  'timing',
  'overheads',
]);

/** The options with a change made to them. */
export function changed(options: ReplayOptions, change: Change): ReplayOptions {
  const copy: Record<string, unknown> = { ...options };
  for (const [path, value] of Object.entries(change)) {
    const [key, ...inner] = path.split('.');
    const name = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (inner.length === 0) {
      copy[name] = value === null ? undefined : OBJECTS.has(key) ? JSON.stringify(value) : value;
      continue;
    }
    const object = JSON.parse((copy[name] as string | undefined) ?? '{}') as Record<string, unknown>;
    set(object, inner, value);
    copy[name] = JSON.stringify(object);
  }
  return copy as ReplayOptions;
}

function set(object: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void {
  if (rest.length > 0) {
    object[key] = { ...(object[key] as Record<string, unknown> | undefined) };
    set(object[key] as Record<string, unknown>, rest, value);
  } else if (value === null) delete object[key];
  else object[key] = value;
}
