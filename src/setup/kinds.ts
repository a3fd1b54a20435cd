import type { EngineKind } from '../engine/kind.js';
import { sglang } from '../engine/sglang/kind.js';
import { trtllm, vllm } from '../engine/vllm/kind.js';
import { kvRouter } from '../router/kv-kind.js';
import { roundRobin } from '../router/round-robin.js';
import type { RouterKind } from '../router/router.js';

/** Every kind of engine, the default first. */
export const ENGINES: readonly EngineKind[] = [vllm, sglang, trtllm];

/** Every policy of placing requests, the default first. */
export const ROUTERS: readonly RouterKind[] = [roundRobin, kvRouter];

/** The kind of a name that has been checked. */
export function kindOf<T extends { readonly name: string }>(kinds: readonly T[], name: string): T {
  return kinds.find((kind) => kind.name === name)!;
}
