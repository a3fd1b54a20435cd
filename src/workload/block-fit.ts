/** Tokens of a hash id that traces have. */
const USUAL = [16, 32, 64, 128, 256, 512, 1024];

/** Whether the prompts of a trace have as many hash ids as their lengths need. */
export class BlockFit {
  private rows = 0;
  private misfits = 0;
  /** Prompts that would fit, by usual size. */
  private readonly fits = new Int32Array(USUAL.length);

  constructor(private readonly blockTokens: number) {}

  add(inputTokens: number, hashes: number): void {
    this.rows++;
    if (hashes === Math.ceil(inputTokens / this.blockTokens)) return;
    this.misfits++;
    for (let i = 0; i < USUAL.length; i++) if (hashes === Math.ceil(inputTokens / USUAL[i])) this.fits[i]++;
  }

  /** What to say where most prompts do not fit, with the size that would. */
  get warning(): string | undefined {
    const { rows, misfits, fits, blockTokens } = this;
    if (2 * misfits <= rows) return undefined;
    const best = fits.indexOf(Math.max(...fits));
    const advice =
      2 * fits[best] > rows ? `; they fit blocks of ${USUAL[best]} (--trace-block-size ${USUAL[best]})` : '';
    return `${misfits} of ${rows} prompts have another number of hash_ids than their length needs at ${blockTokens} tokens each${advice}`;
  }
}
