import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AicError } from './aic-error.js';
import type { SystemSpec } from './system.js';
import { compareVersions, newestFirst } from './versions.js';

const NO_FAMILY = new Set(['trtllm', 'sglang', 'vllm', 'nccl', 'oneccl']);
const MANIFESTS = ['op_kernel_source_manifest.yaml', 'perf_data_reuse_manifest.yaml'];
const SHARED_TIERS = ['shared', 'shared_fallback'];

/** A file that a table is read from, and which kernels of it count; all of them where undefined. */
export interface TableSource {
  path: string;
  kernels: ReadonlySet<string> | undefined;
}

interface ManifestGroup {
  op_file: string;
  kernel_source: string;
  tier: string;
  frameworks: string[];
}

/** Versions of each backend that a system has tables of, newest first. */
export function listVersions({ dataFolder }: SystemSpec): Record<string, string[]> {
  const versions: Record<string, Set<string>> = {};
  const families = folders(dataFolder).map((family) => join(dataFolder, family));
  for (const root of [...families, dataFolder])
    for (const backend of ['vllm', 'sglang', 'trtllm'])
      for (const version of folders(join(root, backend))) {
        versions[backend] ??= new Set();
        versions[backend].add(version);
      }
  return Object.fromEntries(
    Object.entries(versions).map(([backend, found]) => [backend, newestFirst(found)]),
  );
}

/** Folders of tables of one system for one backend and version, and where missing rows come from. */
export class TableSources {
  private readonly families: string[];
  /** Folders in which table families lie; the older layout has none of its own. */
  private readonly roots: string[];
  private manifest: string | undefined;

  /** @throws {AicError} when the system has no such backend and version */
  constructor(
    private readonly systemsFolder: string,
    private readonly system: SystemSpec,
    private readonly backend: string,
    private readonly version: string,
  ) {
    const { dataFolder } = system;
    if (!existsSync(dataFolder))
      throw new AicError(`aic_system: ${system.name} has no data in ${systemsFolder}`);
    this.families = folders(dataFolder).filter((name) => !NO_FAMILY.has(name));
    this.roots = [...this.families.map((family) => join(dataFolder, family)), dataFolder];
    if (!this.roots.some((root) => existsSync(join(root, backend, version)))) {
      const known = newestFirst(this.versionsOf(backend));
      throw new AicError(
        `aic_backend_version: no ${backend} ${version} for ${system.name}; there is ${known.join(', ') || 'none'}`,
      );
    }
  }

  private versionsOf(backend: string): Set<string> {
    return new Set(
      this.roots
        .flatMap((root) => folders(join(root, backend)))
        .filter((name) => !name.startsWith('.') && !name.startsWith('_')),
    );
  }

  /** The files of a table, in the order in which they are read; the first row of a key counts. */
  of(table: string): TableSource[] {
    const primary = this.find(this.backend, this.version, table);
    const own = primary === undefined ? [] : [{ path: primary, kernels: undefined }];
    if (primary?.startsWith(join(this.system.dataFolder, 'comm'))) return own;
    const donors = this.declaredDonors(table);
    const earlier = newestFirst(this.versionsOf(this.backend)).filter(
      (version) => compareVersions(version, this.version)! < 0 && !donors.includes(version),
    );
    const older = [...donors, ...earlier]
      .map((version) => this.find(this.backend, version, table))
      .filter((path) => path !== undefined)
      .map((path) => ({ path, kernels: undefined }));
    return [...own, ...older, ...this.otherBackends(table)];
  }

  /** The NCCL table of the system. */
  nccl(): TableSource[] {
    const { ncclVersion, dataFolder } = this.system;
    const path = join(dataFolder, 'comm', 'nccl', ncclVersion, 'nccl_perf.parquet');
    const older = join(dataFolder, 'nccl', ncclVersion, 'nccl_perf.parquet');
    return [path, older].filter(existsSync).map((found) => ({ path: found, kernels: undefined }));
  }

  private find(backend: string, version: string, table: string): string | undefined {
    for (const root of this.roots) {
      const folder = join(root, backend, version);
      const path = join(folder, `${table}.parquet`);
      if (existsSync(path) && !isPartial(folder)) return path;
    }
    return undefined;
  }

  private declaredDonors(table: string): string[] {
    const donors: string[] = [];
    for (const root of this.roots) {
      const path = join(root, this.backend, this.version, 'reuse.yaml');
      if (!existsSync(path)) continue;
      const text = readFileSync(path, 'utf8');
      if (!text.includes(table)) continue;
      for (const entry of parse(text)?.reuse ?? [])
        if (entry.table === table && !donors.includes(entry.from_version)) donors.push(entry.from_version);
    }
    return donors;
  }

  private otherBackends(table: string): TableSource[] {
    const kernelsOf = new Map<string, Set<string>>();
    for (const group of this.groupsOf(`${table}.parquet`)) {
      const isMine = group.op_file === `${table}.parquet` && group.frameworks?.includes(this.backend);
      if (!isMine || !SHARED_TIERS.includes(group.tier)) continue;
      for (const framework of group.frameworks) {
        if (framework === this.backend) continue;
        const kernels = kernelsOf.get(framework) ?? new Set();
        kernels.add(group.kernel_source);
        kernelsOf.set(framework, kernels);
      }
    }
    return [...kernelsOf.keys()].sort().flatMap((framework) =>
      newestFirst(this.versionsOf(framework))
        .map((version) => this.find(framework, version, table))
        .filter((path) => path !== undefined)
        .map((path) => ({ path, kernels: kernelsOf.get(framework) })),
    );
  }

  /** Groups of the manifest that are about a file; only those are parsed, since the manifest is long. */
  private groupsOf(file: string): ManifestGroup[] {
    const path = MANIFESTS.map((name) => join(this.systemsFolder, name)).find(existsSync);
    this.manifest ??= path === undefined ? '' : readFileSync(path, 'utf8');
    const entries = this.manifest.split(/^(?=\s*- op_file:)/m).slice(1);
    return entries
      .filter((entry) => entry.includes(file))
      .flatMap((entry) => parse(entry) as ManifestGroup[]);
  }
}

function folders(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Whether a folder holds an unfinished collection. */
function isPartial(folder: string): boolean {
  const path = join(folder, 'collection_meta.yaml');
  if (!existsSync(path)) return existsSync(join(folder, 'INCOMPLETE.txt'));
  const text = readFileSync(path, 'utf8');
  if (!text.includes('partial')) return false;
  const tables = parse(text)?.tables ?? {};
  return Object.values(tables as Record<string, { status?: string }>).some(
    ({ status }) => status === 'partial',
  );
}
