/** Versions that the reference takes where none is given. */
export const DEFAULT_VERSIONS: Record<string, string> = {
  vllm: '0.19.0',
  sglang: '0.5.10',
  trtllm: '1.3.0rc10',
};

/** A version by PEP 440: release numbers, then what kind of release it is, then the number of that kind. */
interface Version {
  release: number[];
  stage: number;
  number: number;
}

const STAGES: Record<string, number> = { dev: 0, a: 1, b: 2, rc: 3, '': 4, post: 5 };

function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d+(?:\.\d+)*)(?:[._-]?(dev|a|b|rc|post)[._-]?(\d*))?$/.exec(text);
  if (!match) return undefined;
  const [, release, stage = '', number = '0'] = match;
  return { release: release.split('.').map(Number), stage: STAGES[stage], number: Number(number) };
}

/** Order of two versions, negative when `a` is earlier; undefined when one of them is none. */
export function compareVersions(a: string, b: string): number | undefined {
  const left = parseVersion(a);
  const right = parseVersion(b);
  if (!left || !right) return undefined;
  for (let i = 0; i < Math.max(left.release.length, right.release.length); i++) {
    const difference = (left.release[i] ?? 0) - (right.release[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.stage - right.stage || left.number - right.number;
}

/** Those that are versions, newest first. */
export function newestFirst(versions: Iterable<string>): string[] {
  return [...versions]
    .filter((version) => parseVersion(version))
    .sort((a, b) => compareVersions(b, a)! || (a < b ? -1 : 1));
}
