import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WORDS = 2045;
const SPECIAL = ['<bos>', '<eos>', '<pad>'];
const TEMPLATE =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';

/** The letters by which byte-level vocabularies write bytes: printable ones stand for themselves. */
function byteLetters(): string[] {
  const isPlain = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPlain(byte) ? byte : next++));
}

/**
 * Writes a model of a few files: a token a byte, made-up words that read ` t256`, ` t257` and so on, and no weights.
 * @returns its folder
 */
export function writeTinyModel(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dynosim-tiny-'));
  const letters = byteLetters();
  const vocabulary: Record<string, number> = Object.fromEntries(letters.map((letter, id) => [letter, id]));
  for (let id = 256; id < WORDS; id++) vocabulary[`Ġt${id}`] = id;
  for (const [index, word] of SPECIAL.entries()) vocabulary[word] = WORDS + index;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const files = {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: SPECIAL.map((content, index) => ({ id: WORDS + index, content, ...flags })),
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        vocab: vocabulary,
        merges: [],
      },
    },
    'config.json': {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_size: 64,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 32768,
      vocab_size: 2048,
      eos_token_id: WORDS + 1,
      torch_dtype: 'bfloat16',
    },
    'tokenizer_config.json': {
      bos_token: SPECIAL[0],
      eos_token: SPECIAL[1],
      pad_token: SPECIAL[2],
      tokenizer_class: 'PreTrainedTokenizerFast',
      model_max_length: 32768,
      chat_template: TEMPLATE,
    },
  };
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), JSON.stringify(content));
  return folder;
}
