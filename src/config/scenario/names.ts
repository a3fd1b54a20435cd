/** How settings are called in messages. */
export interface Names {
  /** The settings as a whole. */
  readonly whole: string;
  /** At the beginning of a message: where a setting was written, and its name there. */
  of(key: string): string;
  /** Within a message. */
  short(key: string): string;
}

/** The flag of a setting. */
export function flagName(key: string): string {
  return `--${key.replaceAll('_', '-')}`;
}

/** A name with underscores in camel case. */
export function camelCase(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Names on a command line. @param places where settings come from that are no flags, such as `run.yaml:3` */
export function flagNames(places: ReadonlyMap<string, string> = new Map()): Names {
  return {
    whole: 'the settings',
    of: (key) => (places.has(key) ? `${places.get(key)}: ${key}` : flagName(key)),
    short: flagName,
  };
}

/** Names in JSON and YAML. @param where the text, such as its file */
export function keyNames(where: string): Names {
  return { whole: where, of: (key) => `${where}: ${key}`, short: (key) => key };
}
