/** Random replays for differential fuzzing; a seed names a case. */

class Dice {
  constructor(seed) {
    this.state = (seed * 2654435761) >>> 0;
  }

  /** Uniform in [0, 1): the mulberry32 generator. */
  roll() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  chance(p) {
    return this.roll() < p;
  }

  from(min, max) {
    return min + Math.floor(this.roll() * (max - min + 1));
  }

  pick(list) {
    return list[Math.floor(this.roll() * list.length)];
  }
}

function makeSglang(dice, hashBlock) {
  const page = dice.pick([1, 1, 4, 16, 64, hashBlock]);
  const engine = { engine_type: 'sglang', block_size: page };
  engine.num_gpu_blocks = Math.ceil(
    (dice.chance(0.5) ? dice.from(600, 3000) : dice.from(5000, 50000)) / page,
  );
  const maybe = (p, make) => (dice.chance(p) ? make() : undefined);
  engine.sglang = {
    schedule_policy: dice.pick(['lpm', 'lpm', 'fifo', 'fcfs', null]),
    chunked_prefill_size: maybe(0.6, () => page * dice.from(1, Math.ceil(1024 / page))),
    max_prefill_tokens: maybe(0.4, () => dice.from(1200, 4000)),
    clip_max_new_tokens: maybe(0.4, () => dice.from(1, 60)),
    schedule_conservativeness: maybe(0.4, () => dice.pick([0, 0.3, 1, 1.5])),
  };
  if (dice.chance(0.4)) engine.max_num_seqs = dice.from(1, 12);
  if (dice.chance(0.15)) engine.speedup_ratio = dice.pick([0, 0.5, 3.3]);
  if (dice.chance(0.15)) engine.aic_nextn = dice.from(1, 5);
  if (dice.chance(0.2)) engine.dp_size = dice.from(2, 3);
  return engine;
}

function makeEngine(dice, hashBlock) {
  if (dice.chance(0.3)) return makeSglang(dice, hashBlock);
  const engineType = dice.pick(['vllm', 'vllm', 'vllm', 'trtllm']);
  const isVllm = engineType === 'vllm';
  const engine = { engine_type: engineType, block_size: dice.pick([2, 3, 4, 8, 16, 16, 64, 100, hashBlock]) };
  const isTight = dice.chance(0.5);
  engine.num_gpu_blocks = isTight
    ? dice.from(3, 60) * Math.ceil(64 / engine.block_size)
    : dice.from(500, 5000);
  const maybe = (p, name, make) => {
    if (dice.chance(p)) engine[name] = make();
  };
  maybe(0.4, 'max_num_seqs', () => dice.from(1, 12));
  maybe(0.5, 'max_num_batched_tokens', () => dice.pick([8, 37, 64, 200, 512, 2048]));
  maybe(0.2, 'enable_prefix_caching', () => false);
  maybe(0.15, 'enable_chunked_prefill', () => false);
  maybe(0.3, 'preemption_mode', () => 'fifo');
  maybe(isVllm ? 0.15 : 0, 'max_model_len', () => dice.from(50, 1500));
  maybe(0.15, 'speedup_ratio', () => dice.pick([0, 0.5, 1.7, 3.3, 1e5, 1e12]));
  if (dice.chance(0.2)) {
    engine.aic_nextn = dice.from(1, 5);
    maybe(0.5, 'aic_nextn_accept_rates', () => dice.pick(['0.7,0.4', '1,1,0.5', '0', '0.9,0.9,0.9,0.9,0.9']));
    maybe(0.3, 'aic_mtp_seed', () => dice.from(0, 1000));
  } else maybe(0.15, 'decode_speedup_ratio', () => dice.pick([0, 0.3, 2.5]));
  maybe(0.2, 'dp_size', () => dice.from(2, 3));
  if (dice.chance(0.2) && [2, 4, 8, 16, 64].includes(engine.block_size)) engine.g1_backend = 'kvbm';
  return engine;
}

/** Hash ids that share prefixes with other rows now and then. */
function makeHashes(dice, count, history) {
  const hashes = [];
  if (history.length > 0 && dice.chance(0.7)) {
    const base = dice.pick(history);
    hashes.push(...base.slice(0, dice.from(0, Math.min(count, base.length))));
  }
  while (hashes.length < count) hashes.push(dice.from(0, 400));
  history.push(hashes);
  return hashes;
}

function makeRows(dice, hashBlock, format, isAuthored) {
  const history = [];
  const rows = [];
  const count = dice.from(1, 60);
  const sessions = dice.chance(0.4) ? dice.from(1, 10) : 0;
  const seen = new Set();
  const gapMs = dice.pick([0, 1, 20, 200]);
  let timestamp = dice.from(0, 100);
  for (let i = 0; i < count; i++) {
    const blocks = dice.from(1, dice.pick([3, 12]));
    const row = { hash_ids: makeHashes(dice, blocks, history) };
    if (dice.chance(0.9)) row.input_length = Math.max(1, blocks * hashBlock - dice.from(0, hashBlock));
    row.output_length = dice.chance(0.05) ? 0 : dice.from(1, dice.pick([3, 30, 150]));
    if (isAuthored && dice.chance(0.7))
      row.output_token_ids = Array.from({ length: row.output_length }, () => dice.from(0, dice.pick([1, 5])));
    timestamp += dice.chance(0.3) ? 0 : dice.roll() * gapMs;
    if (format === 'agentic_mooncake') {
      row.request_id = `r${i}`;
      if (i > 0 && dice.chance(0.5)) row.wait_for = [`r${dice.from(0, i - 1)}`, `r${dice.from(0, i - 1)}`];
      if (dice.chance(0.3)) row.tool_wait_ms = dice.from(0, 50);
    }
    const session = sessions > 0 && format !== 'agentic_mooncake' ? `s${dice.from(1, sessions)}` : undefined;
    if (session !== undefined) row.session_id = session;
    const isLater = session !== undefined && seen.has(session);
    if (session !== undefined) seen.add(session);
    if (!isLater || dice.chance(0.5)) row.timestamp = timestamp;
    if (isLater && dice.chance(0.5)) row.delay = dice.pick([0, 3.5, 40]);
    rows.push(row);
  }
  return rows;
}

/** Engines of the two stages of a disaggregated fleet: equal in what must be equal. */
function makeStages(dice, hashBlock) {
  const [prefill, decode] = [makeEngine(dice, hashBlock), makeEngine(dice, hashBlock)];
  const transfer = dice.chance(0.6)
    ? {
        kv_transfer_bandwidth: dice.pick([0.5, 4, 64]),
        kv_bytes_per_token: dice.pick([1000, 131072]),
        kv_transfer_timing_mode: dice.pick(['full_prompt', 'destination_missing']),
      }
    : {};
  const { engine_type, block_size } = prefill;
  const isSglang = engine_type === 'sglang';
  const fields = isSglang ? ['num_gpu_blocks', 'max_num_seqs', 'sglang', 'speedup_ratio', 'aic_nextn'] : null;
  const shared = { engine_type: engine_type === 'trtllm' ? 'vllm' : engine_type, block_size };
  const own = (engine) => {
    const { g1_backend, dp_size, ...rest } = engine;
    if ((engine.engine_type === 'sglang') !== isSglang) return {};
    return fields ? Object.fromEntries(Object.entries(rest).filter(([name]) => fields.includes(name))) : rest;
  };
  const decodeEngine = { ...own(decode), ...shared, worker_type: 'decode' };
  // The reference never ends where decode pools of SGLang are tight; half of the cases stay clear of that.
  if (isSglang && (dice.chance(0.7) || !decodeEngine.num_gpu_blocks))
    decodeEngine.num_gpu_blocks = Math.ceil(60000 / block_size);
  if (decodeEngine.sglang?.chunked_prefill_size % block_size) delete decodeEngine.sglang;
  return {
    prefillEngineArgs: { ...own(prefill), ...shared, ...transfer, worker_type: 'prefill' },
    decodeEngineArgs: decodeEngine,
  };
}

/** Settings of the KV router; odd weights make ties between workers in different states rare. */
function makeRouter(dice) {
  const router = {
    decode_active_request_weight: dice.pick([0, 0.37, 1.913]),
    overlap_score_credit: dice.pick([0, 0.71, 1, 1.37]),
    prefill_load_scale: dice.pick([0.33, 1, 2.71]),
  };
  if (dice.chance(0.3)) router.overlap_score_credit_decay = dice.pick([0.5, 3]);
  if (dice.chance(0.2)) router.router_track_active_blocks = false;
  if (dice.chance(0.2)) router.router_assume_kv_reuse = false;
  if (dice.chance(0.15)) router.router_track_prefill_tokens = false;
  if (dice.chance(0.3)) {
    router.router_queue_threshold = dice.pick([0, 0.1, 0.5]);
    router.router_queue_policy = dice.pick(['fcfs', 'lcfs', 'wspt']);
  }
  return router;
}

function makeFleet(dice, hashBlock) {
  const isSplit = dice.chance(0.35);
  const engines = isSplit ? makeStages(dice, hashBlock) : { extraEngineArgs: makeEngine(dice, hashBlock) };
  const options = isSplit
    ? { numPrefillWorkers: dice.from(1, 3), numDecodeWorkers: dice.from(1, 3) }
    : { numWorkers: dice.pick([1, 1, 2, 3]) };
  const targets = isSplit ? 2 : options.numWorkers * (engines.extraEngineArgs.dp_size ?? 1);
  const router = targets > 1 && dice.chance(0.35) ? makeRouter(dice) : undefined;
  if (router) options.routerMode = 'kv_router';
  return { engines, router, options };
}

/** Brings a case to what release 1.6 takes, and has it use what is new there. */
function renew(dice, test) {
  const { engines, options } = test;
  for (const engine of Object.values(engines)) {
    delete engine.g1_backend;
    const isSglang = engine.engine_type === 'sglang';
    if (engine.sglang?.schedule_policy === 'fcfs') engine.sglang.schedule_policy = 'fifo';
    if (isSglang && dice.chance(0.15)) engine.enable_prefix_caching = false;
    if (engine.engine_type !== 'vllm' && dice.chance(0.1)) engine.max_model_len = dice.from(50, 1500);
    if (engine.engine_type === 'vllm' && dice.chance(0.3)) engine.prefill_schedule_interval = dice.from(1, 9);
    if (isSglang && dice.chance(0.3)) engine.prefill_decode_interval = dice.pick([1, 2, 5, 40]);
    if (engine.worker_type && dice.chance(0.3)) engine.dp_size = dice.from(2, 3);
  }
  if (engines.prefillEngineArgs?.engine_type === 'vllm' && dice.chance(0.25))
    for (const engine of Object.values(engines)) {
      engine.engine_type = 'trtllm';
      delete engine.prefill_schedule_interval;
    }
  if (options.traceFormat === 'agentic_mooncake') {
    options.traceFormat = 'mooncake';
    test.rows.forEach((row, index) => {
      delete row.request_id;
      delete row.wait_for;
      delete row.tool_wait_ms;
      row.timestamp ??= index;
    });
  }
  if (test.router && dice.chance(0.3)) options.kvEventLagMs = dice.pick([0, 3, 20.5, 400]);
  return test;
}

/** @returns {{engines: Record<string, object>, router?: object, options: object, rows?: object[]}} */
export function makeCase(seed, semantics) {
  const dice = new Dice(seed);
  const test = makeOldCase(dice);
  return semantics === 'dynamo-1.6' ? renew(dice, test) : test;
}

function makeOldCase(dice) {
  const hashBlock = dice.pick([4, 16, 48, 64, 128]);
  const { engines, router, options } = makeFleet(dice, hashBlock);
  const isSplit = engines.prefillEngineArgs !== undefined;
  if (dice.chance(0.15)) {
    options.inputTokens = dice.from(1, 400);
    options.outputTokens = dice.from(1, 60);
    options.requestCount = dice.from(1, 60);
    if (dice.chance(0.5)) options.replayConcurrency = dice.from(1, 20);
    else options.arrivalIntervalMs = dice.pick([0, 2, 12.75]);
    if (dice.chance(0.5)) options.turnsPerSession = dice.from(1, 4);
    if (dice.chance(0.5))
      Object.assign(options, { sharedPrefixRatio: dice.roll(), numPrefixGroups: dice.from(1, 3) });
    if (dice.chance(0.3)) options.interTurnDelayMs = dice.from(0, 30);
    return { engines, router, options };
  }
  const format = isSplit
    ? 'mooncake'
    : dice.pick(['mooncake', 'mooncake', 'mooncake', 'mooncake-delta', 'agentic_mooncake']);
  options.traceFormat = format;
  options.traceBlockSize = hashBlock;
  if (format !== 'agentic_mooncake' && dice.chance(0.4)) options.replayConcurrency = dice.from(1, 12);
  if (dice.chance(0.2)) options.arrivalSpeedupRatio = dice.pick([0.5, 3]);
  if (format === 'mooncake' && dice.chance(0.1)) options.maxSimTimeSeconds = dice.pick([0, 0.05, 0.5, 3]);
  if (dice.chance(0.2)) Object.assign(options, { slaTtftMs: 60, slaItlMs: 12 });
  return { engines, router, options, rows: makeRows(dice, hashBlock, format, dice.chance(0.15)) };
}
