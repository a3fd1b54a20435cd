import { type Command, InvalidArgumentError } from 'commander';

/** Reads what Python's `int()` reads. */
export function integer(text: string): number {
  return Number(wholeNumber(text));
}

export function wholeNumber(text: string): bigint {
  const trimmed = text.trim();
  if (!/^[+-]?\d+(_\d+)*$/.test(trimmed))
    throw new InvalidArgumentError(`expected an integer, found '${text}'.`);
  const digits = trimmed.replaceAll('_', '');
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''));
}

/** Reads what Python's `float()` reads. */
export function float(text: string): number {
  const trimmed = text.trim();
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(trimmed);
  if (special) {
    const value = special[2].toLowerCase() === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return special[1] === '-' ? -value : value;
  }
  const digits = trimmed.replace(/(\d)_(?=\d)/g, '$1');
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits))
    throw new InvalidArgumentError(`expected a number, found '${text}'.`);
  return Number(digits);
}

/** An integer of at least 1. */
export function positiveInteger(text: string): number {
  const value = integer(text);
  if (value < 1) throw new InvalidArgumentError(`expected an integer of at least 1, found '${text}'.`);
  return value;
}

/** A number of at least 0, such as a price. */
export function notNegative(text: string): number {
  const value = float(text);
  if (!(value >= 0)) throw new InvalidArgumentError(`expected a number from 0, found '${text}'.`);
  return value;
}

/** Writes unambiguous beginnings of long options out in full, as users of argparse are used to. */
export function expandPrefixes(program: Command, argv: readonly string[]): string[] {
  let command = program;
  return argv.map((word) => {
    const sub = command.commands.find((candidate) => candidate.name() === word);
    if (sub) command = sub;
    if (!word.startsWith('--') || word === '--') return word;
    const [flag] = word.split('=', 1);
    const known = [...command.options.map((option) => option.long ?? ''), '--help'];
    if (known.includes(flag)) return word;
    const matches = known.filter((long) => long.startsWith(flag));
    return matches.length === 1 ? matches[0] + word.slice(flag.length) : word;
  });
}
