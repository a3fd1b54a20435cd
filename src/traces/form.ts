/** One request of a foreign trace. Times in milliseconds. */
export interface TraceRequest {
  /** Line, or element, of the file that it comes from. */
  line: number;
  /** Start on the trace's own clock; undefined for a request that only follows others. */
  startMs: number | undefined;
  inputTokens: number;
  outputTokens: number;
  /** Identities of the blocks of its prompt; undefined where the format tells nothing of content. */
  blocks: readonly string[] | undefined;
  /** Tokens of a block, where the trace itself says so. */
  blockTokens?: number | undefined;
  session: string | undefined;
  /** When its answer ended, on the trace's own clock, where the trace says so. */
  endMs?: number | undefined;
  /** The row itself, of a trace that is in the form already. */
  verbatim?: string;
  /** Name that others refer to, requests that must end before, and the wait after that; in graphs only. */
  id?: string;
  waitFor?: readonly string[];
  delayMs?: number;
  /** A request that it follows while that is still under way, and how long after its start. */
  startsAfter?: { id: string; delayMs: number } | undefined;
}

/** What an importer knows of a trace before it reads it. */
export interface Importer {
  /** Tokens of a block; those of formats without blocks are chosen by the user. */
  blockTokens?: number;
  /** Whether requests depend on each other, so that they become rows of an `agentic_mooncake` trace. */
  isGraph?: boolean;
  /** Reads the requests in file order. @throws {InputError} naming file, line and field */
  read(source: TraceSource, options: ImportOptions): Iterable<TraceRequest>;
}

export interface ImportOptions {
  /** Tokens of the blocks that are made up for formats without any. */
  blockTokens: number;
  /** Characters for a token, for formats that hold text. */
  charactersPerToken: number;
  /** Poisson arrivals in place of the times of the trace, and their seed. */
  requestsPerSecond?: number | undefined;
  seed?: bigint | undefined;
  /** The part, in seconds, that requests are made for, of data from which any number of them can be made. */
  span?: { fromS: number; toS: number } | undefined;
  /** Hears why a request of the trace is left out. */
  leaveOut?: (reason: string) => void;
}

/** A file as importers see it: its lines, or all of it; or the files of a folder, one after the other. */
export interface TraceSource {
  /** Of the file that is being read. */
  readonly path: string;
  /** Lines that are not blank, with their numbers from 1. */
  lines(): Iterable<{ line: number; text: string }>;
  /** The same bytes in pieces of some size. */
  chunks(): Iterable<Uint8Array>;
}
