export interface ChatMessage {
  role: string;
  content: string;
}

/** Text to token ids and back. */
export interface Tokenizer {
  encode(text: string): Uint32Array;
  /** The prompt of a conversation, up to where the assistant's turn begins. */
  encodeChat(messages: readonly ChatMessage[]): Uint32Array;
  decode(ids: readonly number[]): string;
  /** Ids from here on up to `vocabulary` stand for words that can be generated. */
  readonly firstWord: number;
  readonly vocabulary: number;
}

const FIRST_WORD = 1000;
const BYTES = 256;

/** Without a model: one token a byte of UTF-8; higher ids read as ` t1234`. */
export class ByteTokenizer implements Tokenizer {
  readonly firstWord = FIRST_WORD;
  readonly vocabulary = 2000;

  encode(text: string): Uint32Array {
    return Uint32Array.from(Buffer.from(text, 'utf8'));
  }

  encodeChat(messages: readonly ChatMessage[]): Uint32Array {
    const turns = messages.map(({ role, content }) => `${role}: ${content}\n`);
    return this.encode(`${turns.join('')}assistant: `);
  }

  decode(ids: readonly number[]): string {
    let text = '';
    let bytes: number[] = [];
    const flush = () => {
      if (bytes.length > 0) text += Buffer.from(bytes).toString('utf8');
      bytes = [];
    };
    for (const id of ids) {
      if (id < BYTES) bytes.push(id);
      else {
        flush();
        text += ` t${id}`;
      }
    }
    flush();
    return text;
  }
}

const REPLACEMENT = '�';

/** Texts of single tokens, as they read behind another word. */
export class TokenTexts {
  private readonly texts = new Map<number, string>();
  private readonly anchorLength: number;

  constructor(readonly tokenizer: Tokenizer) {
    this.anchorLength = tokenizer.decode([tokenizer.firstWord]).length;
  }

  of(id: number): string {
    let text = this.texts.get(id);
    if (text === undefined) {
      const { tokenizer } = this;
      text = tokenizer.decode([tokenizer.firstWord, id]).slice(this.anchorLength);
      this.texts.set(id, text);
    }
    return text;
  }
}

/** Bytes of the longest character, less one: so many tokens can end inside it. */
const MOST_PENDING = 3;

/** Turns tokens into text as they come: one that ends inside a character is told together with the next. */
export class Detokenizer {
  private pending: number[] = [];

  constructor(private readonly texts: TokenTexts) {}

  /** @returns what the token adds to the text, empty while a character is not complete */
  next(id: number): string {
    if (this.pending.length === 0) {
      const text = this.texts.of(id);
      if (!text.endsWith(REPLACEMENT)) return text;
    }
    this.pending.push(id);
    const text = this.texts.tokenizer.decode(this.pending);
    if (text.endsWith(REPLACEMENT) && this.pending.length <= MOST_PENDING) return '';
    this.pending = [];
    return text;
  }

  /** What is left of an incomplete character. */
  end(): string {
    return this.pending.length > 0 ? this.texts.tokenizer.decode(this.pending.splice(0)) : '';
  }
}
