import type { Columns } from './parquet.js';

/** How the rows of a table are told apart: by slice, and within it by the axes of a grid. */
export interface TableDefinition {
  file: string;
  /** Slice of each row; undefined for rows that do not count. */
  slices(columns: Columns): (row: number) => string | undefined;
  axes(columns: Columns): readonly ((row: number) => number)[];
  /** Which row of a key counts, over all sources in their order. */
  winner: 'first' | 'last';
}

/** The slice by some columns, joined. */
function byTexts(columns: Columns, names: readonly string[]): (row: number) => string {
  const texts = names.map((name) => columns.text(name));
  return columns.described(names, (row) => texts.map((text) => text(row)).join('|'));
}

function define(
  file: string,
  texts: readonly string[],
  axes: readonly (string | readonly [string, string])[],
  winner: 'first' | 'last' = 'first',
): TableDefinition {
  return {
    file,
    slices: (columns) => byTexts(columns, texts),
    axes: (columns) =>
      axes.map((axis) => {
        if (typeof axis === 'string') return columns.number(axis);
        const [a, b] = axis.map((name) => columns.number(name));
        return (row) => a(row) + b(row);
      }),
    winner,
  };
}

const WITHOUT_SITES = ['awq', 'gptq'];

const gemm: TableDefinition = {
  ...define('gemm_perf', ['gemm_dtype'], ['n', 'k', 'm']),
  slices: (columns) => {
    const dtypes = columns.text('gemm_dtype');
    return (row) => (WITHOUT_SITES.includes(dtypes(row)) ? undefined : dtypes(row));
  },
};

const ATTENTION_SHAPE = ['num_heads', 'num_key_value_heads', 'head_dim', 'window_size'];

/** Attention slices name key-value heads only where there are fewer of them than query heads. */
function attention(
  file: string,
  texts: readonly string[],
  axes: readonly (string | [string, string])[],
): TableDefinition {
  const plain = define(file, texts, axes);
  return {
    ...plain,
    slices: (columns) => {
      const start = byTexts(columns, texts);
      const [heads, kvHeads, size, window] = ATTENTION_SHAPE.map((name) => columns.number(name));
      return columns.described([...texts, ...ATTENTION_SHAPE], (row) => {
        const groups = kvHeads(row) === heads(row) ? 0 : kvHeads(row);
        return `${start(row)}|${groups}|${size(row)}|${window(row)}`;
      });
    },
  };
}

const customAllReduce: TableDefinition = {
  ...define('custom_allreduce_perf', ['num_gpus'], ['message_size']),
  slices: (columns) => {
    const gpus = columns.number('num_gpus');
    const kernels = columns.text('kernel_source');
    const backends = columns.text('backend');
    return (row) =>
      kernels(row).endsWith('_eager') || backends(row).endsWith('_eager') ? undefined : String(gpus(row));
  },
};

const MOE_SHAPE = ['topk', 'num_experts', 'hidden_size', 'inter_size', 'moe_tp_size', 'moe_ep_size'];
const LOW_LATENCY = 'moe_torch_flow_min_latency';
/** Kernels whose rows stand for a format of their own. */
const MOE_RENAMED: Record<string, string> = {
  'w4a8_mxfp4_mxfp8|sglang_mxfp4_flashinfer_trtllm_moe': 'w4a8_mxfp4_mxfp8_trtllm',
  'w4a16_mxfp4|sglang_flashinfer_cutlass_moe': 'w4a16_mxfp4_cutlass',
};

const moe: TableDefinition = {
  ...define('moe_perf', [], ['num_tokens']),
  slices: (columns) => {
    const dtypes = columns.text('moe_dtype');
    const distributions = columns.text('distribution');
    const kernels = columns.text('kernel_source');
    const shape = MOE_SHAPE.map((name) => columns.number(name));
    const told = ['kernel_source', 'moe_dtype', 'distribution', ...MOE_SHAPE];
    return columns.described(told, (row) => {
      const kind = kernels(row) === LOW_LATENCY ? 'fast' : 'normal';
      const dtype = MOE_RENAMED[`${dtypes(row)}|${kernels(row)}`] ?? dtypes(row);
      return `${kind}|${dtype}|${distributions(row)}|${shape.map((size) => size(row)).join('|')}`;
    });
  },
};

const STEP = ['isl', 'step'] as const;

/** All tables by what they are for; keys of slices are the columns named, joined by `|`. */
export const TABLES = {
  gemm,
  contextAttention: attention(
    'context_attention_perf',
    ['attn_dtype', 'kv_cache_dtype'],
    ['num_heads', 'isl', 'batch_size'],
  ),
  generationAttention: attention(
    'generation_attention_perf',
    ['kv_cache_dtype'],
    ['num_heads', 'batch_size', ['isl', 'step']],
  ),
  customAllReduce,
  nccl: define('nccl_perf', ['nccl_dtype', 'op_name', 'num_gpus'], ['message_size']),
  moe,
  computeScale: define('computescale_perf', ['quant_dtype'], ['m', 'k']),
  scaleMatrix: define('scale_matrix_perf', ['quant_dtype'], ['m', 'k']),
  contextMla: define('context_mla_perf', ['mla_dtype', 'kv_cache_dtype'], ['num_heads', 'isl', 'batch_size']),
  generationMla: define('generation_mla_perf', ['kv_cache_dtype'], ['num_heads', 'batch_size', STEP]),
  contextModule: define(
    'mla_context_module_perf',
    ['mla_dtype', 'kv_cache_dtype', 'gemm_type'],
    ['num_heads', 'isl', 'batch_size'],
    'last',
  ),
  generationModule: define(
    'mla_generation_module_perf',
    ['kv_cache_dtype', 'gemm_type'],
    ['num_heads', 'batch_size', STEP],
    'last',
  ),
  mlaBmm: define('mla_bmm_perf', ['bmm_dtype', 'op_name', 'num_heads'], ['num_tokens']),
} satisfies Record<string, TableDefinition>;

export type TableName = keyof typeof TABLES;
