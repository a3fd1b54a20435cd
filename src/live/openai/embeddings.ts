import { WyRand } from '../../random/wyrand.js';
import type { ServedModel } from './model.js';
import { promptsOf } from './requests.js';
import { embeddingSchema, readBody } from './schemas.js';

const DIMENSIONS = 1024;

/** Answers `/v1/embeddings`: vectors of length 1 that depend on the text alone. @throws {ApiError} 400 */
export function embed(body: string, model: ServedModel): object {
  const asked = readBody(embeddingSchema, body);
  model.check(asked.model);
  const prompts = promptsOf(asked.input, model.texts);
  const promptTokens = prompts.reduce((sum, { length }) => sum + length, 0);
  const data = prompts.map((tokens, index) => {
    const vector = vectorOf(tokens, asked.dimensions ?? DIMENSIONS);
    const isText = asked.encoding_format === 'base64';
    const embedding = isText ? Buffer.from(vector.buffer).toString('base64') : [...vector];
    return { object: 'embedding', index, embedding };
  });
  return {
    object: 'list',
    data,
    model: asked.model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}

function vectorOf(tokens: Uint32Array, dimensions: number): Float32Array {
  let hash = 0xcbf29ce484222325n;
  for (const token of tokens) hash = BigInt.asUintN(64, (hash ^ BigInt(token)) * 0x100000001b3n);
  const random = new WyRand(hash);
  const vector = Float32Array.from({ length: dimensions }, () => random.nextFloat() - 0.5);
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}
