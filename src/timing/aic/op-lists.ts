import { isLatent, type ModelSpec } from './model.js';
import type { Gemm, Leaf, Op } from './ops.js';
import type { Parallelism } from './parallelism.js';
import type { QuantModes } from './quant.js';

export type Phase = 'context' | 'generation';

export interface OpListOptions {
  model: ModelSpec;
  quant: QuantModes;
  parallel: Parallelism;
  backend: string;
  /** Draft tokens of speculative decoding. */
  draftTokens: number;
}

/** Builds the operations of one phase, in the order in which the reference's estimator adds them up (`sdk/models/*`). */
export function opList(phase: Phase, options: OpListOptions): Op[] {
  return new OpList(phase, options).build();
}

class OpList {
  private readonly model: ModelSpec;
  private readonly quant: QuantModes;
  private readonly tp: number;
  private readonly isVllm: boolean;
  /** What a layer's operations are counted by, and those that happen once. */
  private readonly perLayer: number;
  private readonly once: number;

  constructor(
    private readonly phase: Phase,
    { model, quant, parallel, backend, draftTokens }: OpListOptions,
  ) {
    this.model = model;
    this.quant = quant;
    this.tp = parallel.tensor;
    this.isVllm = backend === 'vllm';
    const drafts = phase === 'generation' && draftTokens > 0;
    const share = drafts ? (draftTokens + model.layers) / model.layers : 1;
    this.perLayer = model.layers * share;
    this.once = 1 * share;
  }

  build(): Op[] {
    switch (this.model.family) {
      case 'LLAMA':
        return this.dense();
      case 'MOE':
        return this.experts();
      default:
        return this.latent();
    }
  }

  private name(part: string): string {
    return `${this.phase}_${part}`;
  }

  private split(value: number): number {
    return Math.floor(value / this.tp);
  }

  private gemm(part: string, n: number, k: number, rest: Partial<Gemm> = {}): Gemm {
    const count = rest.count ?? this.perLayer;
    return {
      kind: 'gemm',
      name: this.name(part),
      n,
      k,
      mode: this.quant.gemm,
      lowPrecisionInput: false,
      ...rest,
      count,
    };
  }

  private memory(part: string, bytesPerToken: number): Leaf {
    return { kind: 'memory', name: this.name(part), bytesPerToken, count: this.perLayer };
  }

  private embedding(): Leaf {
    const { vocabulary } = this.model;
    return {
      kind: 'embedding',
      name: this.name('embedding'),
      vocabulary: isLatent(this.model) ? vocabulary : this.split(vocabulary),
      count: this.once,
    };
  }

  private logits(): Gemm {
    const { vocabulary, hidden } = this.model;
    return this.gemm('logits_gemm', this.split(vocabulary), hidden, { mode: 'bfloat16', count: this.once });
  }

  private allReduce(part: string, count: number): Leaf {
    return { kind: 'allReduce', name: this.name(part), count };
  }

  private p2p(): Leaf {
    return { kind: 'p2p', name: this.name('p2p'), count: 0 };
  }

  private attention(count: number, windowTokens: number): Leaf {
    const { heads, kvHeads, headSize, normalizesQueryKey } = this.model;
    return {
      kind: this.phase === 'context' ? 'contextAttention' : 'generationAttention',
      name: this.name('attention'),
      heads: this.split(heads),
      kvHeads: Math.ceil(kvHeads / this.tp),
      headSize,
      windowTokens,
      normalizesQueryKey,
      count,
    };
  }

  /** Embedding, attention and what surrounds it. */
  private attentionHalf(attentionCount: number): Leaf[] {
    const { hidden, heads, kvHeads, headSize } = this.model;
    const kv = Math.ceil(kvHeads / this.tp);
    const query = this.split(heads * headSize);
    return [
      this.embedding(),
      this.memory('add_norm_1', 8 * hidden),
      this.gemm('qkv_gemm', query + headSize * kv * 2, hidden),
      this.attention(attentionCount, 0),
      this.gemm('proj_gemm', hidden, query, { lowPrecisionInput: true }),
      this.memory('add_norm_2', 8 * hidden),
    ];
  }

  private gated(part: { gate: string; act: string; down: string }, intermediate: number): Leaf[] {
    const { hidden } = this.model;
    const isExpert = this.model.family !== 'LLAMA';
    return [
      this.gemm(part.gate, this.split(2 * intermediate), hidden),
      this.memory(part.act, this.split(2 * intermediate) * 2 + this.split(intermediate) * 2),
      this.gemm(part.down, hidden, this.split(intermediate), { lowPrecisionInput: !isExpert }),
    ];
  }

  private dense(): Op[] {
    const { intermediate } = this.model;
    return [
      ...this.attentionHalf(this.perLayer),
      ...this.gated({ gate: 'gate_ffn1_gemm', act: 'act_gate', down: 'ffn2_gemm' }, intermediate),
      this.logits(),
      this.allReduce('embedding_ar', this.once),
      this.allReduce('ar_1', this.perLayer),
      this.allReduce('ar_2', this.perLayer),
      this.p2p(),
    ];
  }

  /** Routing, the experts, and the way of tokens to them and back. */
  private routed(distribution: string): Leaf[] {
    const { experts, hidden } = this.model;
    const count = this.perLayer;
    return [
      this.gemm('router_gemm', experts, hidden, { mode: 'bfloat16' }),
      { kind: 'dispatch', name: this.name('moe_pre_dispatch'), isPre: true, count },
      { kind: 'moe', name: this.name('moe'), distribution, count },
      { kind: 'dispatch', name: this.name('moe_post_dispatch'), isPre: false, count },
    ];
  }

  private experts(): Op[] {
    const { isGptOss, layers } = this.model;
    const drafts = this.perLayer / layers;
    const full = isGptOss ? (layers / 2) * drafts : this.perLayer;
    return [
      ...(isGptOss ? [this.attention((layers * drafts) / 2, 128)] : []),
      ...this.attentionHalf(full),
      ...this.routed('power_law_1.2'),
      ...(this.phase === 'generation' ? [this.logits()] : []),
      this.allReduce('embedding_ar', this.once),
      this.p2p(),
    ];
  }

  private latent(): Op[] {
    const { hidden, expertIntermediate } = this.model;
    const parts = { gate: 'shared_gate_up_gemm', act: 'shared_act_gate', down: 'shared_ffn2_gemm' };
    const shared = this.gated(parts, expertIntermediate);
    const routed = this.routed('power_law_1.01');
    const overlap: Op = { kind: 'overlap', name: this.name('moe_overlap'), groups: [routed, shared] };
    return [
      this.embedding(),
      this.memory('add_norm_1', 8 * hidden),
      this.latentAttention(),
      this.memory('add_norm_2', 8 * hidden),
      ...(this.phase === 'context' ? [...shared, ...routed] : [overlap]),
      this.logits(),
      ...(this.isVllm ? [this.allReduce('tp_allreduce', 2 * this.perLayer)] : []),
      this.p2p(),
    ];
  }

  private latentAttention(): Op {
    const { hidden } = this.model;
    const count = this.perLayer;
    const isContext = this.phase === 'context';
    const heads = this.split(128);
    const primary: Leaf = {
      kind: isContext ? 'contextModule' : 'generationModule',
      name: this.name('mla_module'),
      heads,
      count,
    };
    const otherwise: Leaf[] = [
      this.gemm('downscale_gemm', 2112, hidden),
      this.gemm('q_b_proj_gemm', this.split(24576), 1536),
      ...(isContext
        ? [this.gemm('kv_b_proj_gemm', this.split(32768), 512), this.latentCore(heads)]
        : this.generationCore(heads)),
      this.gemm('proj_gemm', hidden, isContext ? this.split(16384) : this.split(hidden)),
    ];
    return { kind: 'fallback', name: this.name('mla_block'), primary, otherwise };
  }

  private latentCore(heads: number): Leaf {
    const { model } = this;
    const isContext = this.phase === 'context';
    if (!this.isVllm)
      return {
        kind: isContext ? 'contextMla' : 'generationMla',
        name: this.name('attention'),
        heads,
        count: this.perLayer,
      };
    return {
      kind: isContext ? 'contextAttention' : 'generationAttention',
      name: this.name('attention'),
      heads: this.split(model.heads),
      kvHeads: this.split(model.kvHeads),
      headSize: model.valueHeadSize,
      windowTokens: 0,
      normalizesQueryKey: false,
      count: this.perLayer,
    };
  }

  private generationCore(heads: number): Leaf[] {
    if (this.isVllm) return [this.latentCore(heads)];
    const mode = this.quant.gemm === 'bfloat16' ? 'bfloat16' : 'fp8';
    const bmm = (part: string, isPre: boolean): Leaf => ({
      kind: 'mlaBmm',
      name: this.name(part),
      heads: this.split(this.model.heads),
      mode,
      isPre,
      count: this.perLayer,
    });
    return [bmm('bmm_pre', true), this.latentCore(heads), bmm('bmm_post', false)];
  }
}
