import type { PassClock } from '../../timing/pass-clock.js';
import type { PassMetrics } from '../pass-meter.js';
import type { SchedulerRequests } from '../requests.js';

/** What a pass has scheduled so far: the tokens left to give, and the prompts that its prefill time follows from. */
export class Pass {
  /** Tokens that may still be scheduled. */
  budget = 0;
  /** Whether any token is scheduled. A request may be scheduled with none: all it has is computed, but it could not emit. */
  any = false;
  /** Tokens of the requests some of whose prompt is computed, beyond the prompt too. */
  committedTokens = 0;
  private number = 0;
  private prompts = 0;
  private promptTokens = 0;
  private prefixTokens = 0;

  /**
   * @param prefillIsFree whether prompts are computed elsewhere, but for requests that say otherwise
   * @param promptsEmit whether the pass that computes a prompt emits its first token, without a decode step
   */
  constructor(
    private readonly requests: SchedulerRequests,
    private readonly prefillIsFree: boolean,
    private readonly promptsEmit: boolean,
  ) {}

  begin(budget: number): void {
    this.number++;
    this.budget = budget;
    this.any = false;
    this.committedTokens = 0;
    this.prompts = 0;
    this.promptTokens = 0;
    this.prefixTokens = 0;
  }

  /** A request got tokens of this pass, `promptTokens` of them of its prompt, behind `prefix` known ones. */
  record(slot: number, tokens: number, prefix: number, promptTokens: number): void {
    this.note(slot, tokens, prefix, promptTokens);
    if (tokens > 0) this.any = true;
    if (promptTokens === 0) return;
    this.committedTokens += tokens;
    if (this.isFree(slot)) return;
    this.prompts++;
    this.promptTokens += prefix + promptTokens;
    this.prefixTokens += prefix;
  }

  private isFree(slot: number): boolean {
    return this.prefillIsFree && this.requests.computesPrompt[slot] === 0;
  }

  note(slot: number, tokens: number, prefix: number, promptTokens: number): void {
    const { requests } = this;
    requests.scheduledPass[slot] = this.number;
    requests.scheduledTokens[slot] = tokens;
    requests.scheduledPrompt[slot] = promptTokens;
    requests.scheduledPrefix[slot] = prefix;
  }

  /** Whether this pass computes the rest of a prompt and emits the first token with it. */
  emits(slot: number): boolean {
    return this.promptsEmit && this.endsPrompt(slot);
  }

  /** Whether this pass computes the rest of a prompt. */
  endsPrompt(slot: number): boolean {
    const { requests } = this;
    const isFirst = requests.length[slot] === requests.promptTokens[slot];
    return isFirst && requests.scheduledPass[slot] === this.number && requests.scheduledPrompt[slot] > 0;
  }

  /** Takes back what a request got in this pass, if anything. */
  undo(slot: number): void {
    const { requests } = this;
    if (requests.scheduledPass[slot] !== this.number) return;
    requests.scheduledPass[slot] = -1;
    this.budget += requests.scheduledTokens[slot];
    const promptTokens = requests.scheduledPrompt[slot];
    if (promptTokens === 0) return;
    this.committedTokens -= requests.scheduledTokens[slot];
    if (this.isFree(slot)) return;
    const prefix = requests.scheduledPrefix[slot];
    this.prompts = Math.max(0, this.prompts - 1);
    this.promptTokens = Math.max(0, this.promptTokens - prefix - promptTokens);
    this.prefixTokens = Math.max(0, this.prefixTokens - prefix);
  }

  /** Counts what a request got in this pass, if anything. */
  measure(slot: number, metrics: PassMetrics): void {
    const { requests } = this;
    if (requests.scheduledPass[slot] !== this.number) return;
    if (requests.scheduledPrompt[slot] > 0) {
      metrics.prefillRequests++;
      metrics.prefillTokens += requests.scheduledTokens[slot];
      metrics.prefillCachedTokens += requests.scheduledPrefix[slot];
    } else {
      metrics.decodeRequests++;
      metrics.decodeTokens += requests.length[slot];
    }
  }

  /** Prompt tokens that this pass computes. */
  get newPromptTokens(): number {
    return this.promptTokens - this.prefixTokens;
  }

  /** Time of the prompts of this pass. */
  prefillMs(clock: PassClock): number {
    if (this.prompts === 0) return 0;
    const { batch, inputTokens, prefixTokens } = this.promptPart;
    return clock.prefillMs(batch, inputTokens, prefixTokens);
  }

  /** The prompts of this pass, with floored means. */
  get promptPart(): { batch: number; inputTokens: number; prefixTokens: number } {
    const { prompts: batch } = this;
    return {
      batch,
      inputTokens: Math.floor(this.promptTokens / batch),
      prefixTokens: Math.floor(this.prefixTokens / batch),
    };
  }

  get hasPrompts(): boolean {
    return this.prompts > 0;
  }

  /** Time that decoding adds to the prompts where a pass is one. @param decodes requests that no prompt gives a token */
  decodeBesideMs(clock: PassClock, decodes: number, contextTokens: number): number {
    return clock.decodeBesideMs(this.promptPart, decodes, contextTokens);
  }
}
