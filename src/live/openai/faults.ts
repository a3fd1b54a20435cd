import { InputError } from '../../config/input-error.js';
import { WyRand } from '../../random/wyrand.js';
import { ApiError, badRequest } from './api-error.js';

/** What can go wrong on purpose. */
const FAULT_KINDS = [
  'latency',
  'error',
  'rate-limit',
  'client-closed',
  'error-200',
  'error-frame',
  'cut',
  'cut-frame',
  'cut-character',
  'cut-reasoning',
  'cut-tool',
  'reset',
  'stall',
  'no-done',
  'no-usage',
  'worker-hang',
  'worker-death',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  kind: FaultKind;
  /** Part of the requests that it hits. */
  rate: number;
  /** Frames of a stream that come before it. */
  after: number;
  /** How long it takes: added latency, a stall, a hanging worker, the time to wait before another try. */
  ms: number;
  /** Status of an `error`. */
  status: number;
}

const DEFAULTS: Omit<Fault, 'kind'> = { rate: 1, after: 3, ms: 1000, status: 500 };
const RANGES: Record<keyof typeof DEFAULTS, [number, number]> = {
  rate: [0, 1],
  after: [0, 1e9],
  ms: [0, 1e9],
  status: [400, 599],
};

/** The header in which a request asks for a fault. */
export const FAULT_HEADER = 'x-dynosim-fault';

/**
 * Reads faults as `cut; after=5, latency; ms=200; rate=0.1`.
 * @throws {InputError} naming what is wrong
 */
export function parseFaults(text: string, where: string): Fault[] {
  return text
    .split(',')
    .filter((one) => one.trim() !== '')
    .map((one) => {
      const [kind, ...settings] = one.split(';').map((word) => word.trim());
      if (!(FAULT_KINDS as readonly string[]).includes(kind))
        throw new InputError(`${where}: no such fault: '${kind}'; known are ${FAULT_KINDS.join(', ')}`);
      const fault: Fault = { ...DEFAULTS, kind: kind as FaultKind };
      for (const setting of settings) readSetting(fault, setting, where);
      return fault;
    });
}

function readSetting(fault: Fault, setting: string, where: string): void {
  const [name, value] = setting.split('=').map((word) => word.trim());
  if (!(name in RANGES))
    throw new InputError(
      `${where}: ${fault.kind} has no setting '${name}'; known are ${Object.keys(RANGES).join(', ')}`,
    );
  const key = name as keyof typeof RANGES;
  const [least, most] = RANGES[key];
  const number = value === undefined || value === '' ? Number.NaN : Number(value);
  if (!(number >= least && number <= most))
    throw new InputError(
      `${where}: ${fault.kind}; ${name}: must be from ${least} to ${most}, found '${value ?? ''}'`,
    );
  fault[key] = number;
}

/** Decides which faults hit a request: those it asks for, and those of the configuration by their rates. */
export class Faults {
  private readonly random: WyRand;

  constructor(
    private readonly configured: readonly Fault[],
    seed: bigint,
  ) {
    this.random = new WyRand(seed);
  }

  /** @throws {ApiError} 400 for a header that cannot be read */
  of(header: string | undefined): FaultSet {
    let asked: Fault[];
    try {
      asked = parseFaults(header ?? '', FAULT_HEADER);
    } catch (error) {
      throw badRequest((error as Error).message, FAULT_HEADER);
    }
    const drawn = [...asked, ...this.configured].filter(
      ({ rate }) => rate >= 1 || this.random.nextFloat() < rate,
    );
    return new FaultSet(drawn);
  }
}

/** The faults of one request. */
export class FaultSet {
  constructor(private readonly faults: readonly Fault[]) {}

  find(kind: FaultKind): Fault | undefined {
    return this.faults.find((fault) => fault.kind === kind);
  }

  /** The first fault that breaks a stream, of those of a kind that does. */
  get breaking(): Fault | undefined {
    return this.faults.find(({ kind }) => BREAKING.includes(kind));
  }

  /** Refuses the request where it is to be refused. @throws {ApiError} */
  refuse(): void {
    for (const { kind, status, ms } of this.faults) {
      if (kind === 'error')
        throw new ApiError(status, 'the server had an error (injected)', { code: 'injected' });
      if (kind === 'client-closed')
        throw new ApiError(499, 'client closed request (injected)', { code: 'injected' });
      if (kind === 'rate-limit')
        throw new ApiError(429, 'rate limit reached (injected)', {
          code: 'rate_limit_exceeded',
          headers: { 'retry-after': String(Math.ceil(ms / 1000)) },
        });
    }
  }
}

const BREAKING: readonly FaultKind[] = [
  'error-frame',
  'cut',
  'cut-frame',
  'cut-character',
  'cut-reasoning',
  'cut-tool',
  'reset',
  'stall',
  'worker-hang',
  'worker-death',
];
