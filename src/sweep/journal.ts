import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { InputError } from '../config/input-error.js';
import type { Evaluator, Outcome } from './job.js';
import { jobKey } from './job-key.js';

/** The first line of a journal, which says what it is. */
const HEAD = '{"journal":"dynosim sweep","form":1}';

interface Entry {
  key: string;
  outcome: Outcome;
}

/**
 * A file with the outcome of every job, a line each, written as they come. A search that was killed at any moment asks
 * again for what it did and gets it from here; a line that was cut off is dropped.
 */
export class Journal {
  private readonly known = new Map<string, Outcome>();
  private readonly descriptor: number;

  /**
   * @param isResumed whether a journal that is there is gone on with
   * @throws {InputError} when it is there and not to be resumed, is none of ours, or cannot be written
   */
  constructor(path: string, isResumed: boolean) {
    const isThere = existsSync(path);
    if (isThere && !isResumed)
      throw new InputError(`--journal: ${path} exists already; add --resume to go on from it`);
    const isEmpty = !isThere || !this.load(path);
    try {
      this.descriptor = openSync(path, 'a');
    } catch (error) {
      throw new InputError(`--journal: cannot write ${path} (${(error as Error).message})`);
    }
    if (isEmpty) writeSync(this.descriptor, `${HEAD}\n`);
  }

  /** Outcomes that are known. */
  get size(): number {
    return this.known.size;
  }

  /** @returns whether there is anything in it */
  private load(path: string): boolean {
    const text = readFileSync(path, 'utf8');
    const whole = text.lastIndexOf('\n') + 1;
    const [head, ...lines] = text.slice(0, whole).split('\n');
    if (whole > 0 && head !== HEAD) throw new InputError(`${path}:1: is no journal of a sweep`);
    for (const [index, line] of lines.entries()) {
      if (line === '') continue;
      try {
        const { key, outcome } = JSON.parse(line) as Entry;
        this.known.set(key, outcome);
      } catch {
        throw new InputError(`${path}:${index + 2}: is no line of a journal`);
      }
    }
    if (whole < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, whole)));
    return whole > 0;
  }

  /** Answers jobs that are known, and notes the outcomes of others. */
  over(inner: Evaluator): Evaluator {
    return {
      run: async (job) => {
        const key = jobKey(job);
        const known = this.known.get(key);
        if (known) return known;
        const outcome = await inner.run(job);
        this.note({ key, outcome });
        return outcome;
      },
      close: async () => {
        closeSync(this.descriptor);
        await inner.close();
      },
    };
  }

  private note(entry: Entry): void {
    this.known.set(entry.key, entry.outcome);
    writeSync(this.descriptor, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.descriptor);
  }
}
