import type { RequestOutcome } from '../../report/outcome.js';
import type { EndKind, Serving, Ticket, TokenSink } from '../serving.js';
import type { PlannedOutput } from '../text/output-ids.js';
import { StopMatcher } from '../text/stop-matcher.js';
import { Detokenizer, type TokenTexts } from '../text/tokenizer.js';
import type { ToolCall } from './tool-call.js';

/** What an answer is to be, whatever interface it was asked for through. */
export interface GenerationRequest {
  model: string;
  prompts: readonly Uint32Array[];
  /** Answers to each prompt. */
  n: number;
  /** undefined where the client leaves it to the model. */
  maxTokens: number | undefined;
  stop: readonly string[];
  seed: number | undefined;
  /** How many alternatives are told for each token; undefined for no log-probabilities. */
  topLogprobs: number | undefined;
  /** The call of a tool that the answer is. */
  tool: ToolCall | undefined;
  /** Whether what the model thinks first is told apart from the answer. */
  tellsReasoning: boolean;
  priority: number;
}

export type PieceKind = 'reasoning' | 'tool' | 'text';

/** What one token adds to an answer. */
export interface Piece {
  kind: PieceKind;
  text: string;
  id: number;
}

export type Finish = 'stop' | 'length' | 'tool_calls' | 'cancelled' | 'refused' | 'error';

export interface ChoiceListener {
  piece(choice: Choice, piece: Piece): void;
  ended(choice: Choice): void;
}

/** One answer to one prompt, as its tokens come. */
export class Choice implements TokenSink {
  readonly texts: Record<PieceKind, string> = { reasoning: '', tool: '', text: '' };
  readonly pieces: Piece[] = [];
  /** Pieces told so far, of each kind. */
  readonly told: Record<PieceKind, number> = { reasoning: 0, tool: 0, text: 0 };
  tokens = 0;
  /** When it was asked for, and when its last token came: milliseconds of the fleet. */
  startMs = 0;
  lastMs = 0;
  /** Time from the token before the last one, or from the start, to the last one. */
  gapMs = 0;
  cachedTokens = 0;
  finish: Finish | undefined;
  outcome: RequestOutcome | undefined;
  private ticket: Ticket = -1;
  private serving: Serving | undefined;
  private readonly detokenizer: Detokenizer;
  private readonly stops: StopMatcher;

  /** @param keepsPieces whether every token is kept, for an answer that is told as a whole */
  constructor(
    readonly index: number,
    readonly prompt: Uint32Array,
    private readonly output: PlannedOutput,
    private readonly request: GenerationRequest,
    texts: TokenTexts,
    private readonly keepsPieces: boolean,
    private readonly listener: ChoiceListener,
  ) {
    this.detokenizer = new Detokenizer(texts);
    this.stops = new StopMatcher(request.tool ? [] : request.stop);
  }

  get model(): string {
    return this.request.model;
  }

  /** Answers to the same prompt, this one included. */
  get siblings(): number {
    return this.request.n;
  }

  get mostTokens(): number {
    return this.output.ids.length;
  }

  get reasoningTokens(): number {
    return Math.min(this.tokens, this.output.reasoningTokens);
  }

  start(serving: Serving, nowMs: number): void {
    this.serving = serving;
    this.startMs = nowMs;
    this.lastMs = nowMs;
    const { ids } = this.output;
    const { priority } = this.request;
    this.ticket = serving.submit(
      { tokens: this.prompt, outputTokens: ids.length, output: ids, priority },
      this,
    );
  }

  /** Its number in the fleet. */
  get number(): Ticket {
    return this.ticket;
  }

  cancel(): void {
    if (this.finish === undefined) this.serving?.cancel(this.ticket);
  }

  token(_ticket: Ticket, atMs: number, told?: number): void {
    const { output, tokens } = this;
    this.gapMs = Math.max(0, atMs - this.lastMs);
    this.lastMs = atMs;
    const id = told ?? output.ids[tokens];
    this.tokens++;
    const kind = this.kindOf(tokens);
    if (kind === 'reasoning') {
      const isMark = tokens === 0 || tokens === output.reasoningTokens - 1;
      this.tell({ kind, id, text: isMark ? '' : this.detokenizer.next(id) });
    } else if (kind === 'tool') this.tell({ kind, id, text: this.argumentPiece(id) });
    else this.tellText(id);
  }

  cached(_ticket: Ticket, tokens: number): void {
    this.cachedTokens = tokens;
  }

  private kindOf(token: number): PieceKind {
    const { request, output } = this;
    if (request.tellsReasoning && token < output.reasoningTokens) return 'reasoning';
    return request.tool ? 'tool' : 'text';
  }

  /** The first token of a call opens its arguments, the last one closes them. */
  private argumentPiece(id: number): string {
    const { output, request } = this;
    const tool = request.tool!;
    const first = request.tellsReasoning ? output.reasoningTokens : 0;
    const last = output.ids.length - 1;
    const text = JSON.stringify(this.detokenizer.next(id)).slice(1, -1);
    const head = this.tokens - 1 === first ? tool.opening : text;
    return this.tokens - 1 === last ? head + tool.closing : head;
  }

  private tellText(id: number): void {
    const { text, stopped } = this.stops.push(this.detokenizer.next(id));
    this.tell({ kind: 'text', id, text });
    if (!stopped) return;
    this.close('stop');
    this.serving?.cancel(this.ticket);
  }

  private tell(piece: Piece): void {
    this.told[piece.kind]++;
    if (this.keepsPieces) {
      this.texts[piece.kind] += piece.text;
      this.pieces.push(piece);
    }
    this.listener.piece(this, piece);
  }

  ended(_ticket: Ticket, why: EndKind, _atMs: number, outcome: RequestOutcome | undefined): void {
    this.outcome = outcome;
    if (outcome) this.cachedTokens = outcome.firstReusedTokens;
    if (this.finish !== undefined) return;
    if (why === 'cancelled') this.close('cancelled');
    else if (why === 'rejected') this.close('refused');
    else if (why !== 'completed') this.close('error');
    else this.complete();
  }

  private complete(): void {
    const { request } = this;
    const rest = this.stops.push(this.detokenizer.end());
    const text = rest.text + this.stops.end();
    if (text !== '' && !request.tool) this.tell({ kind: 'text', id: -1, text });
    if (request.tool) this.close('tool_calls');
    else this.close(request.maxTokens === undefined ? 'stop' : 'length');
  }

  private close(finish: Finish): void {
    this.finish = finish;
    this.listener.ended(this);
  }
}
