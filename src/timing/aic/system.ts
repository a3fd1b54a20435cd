import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AicError } from './aic-error.js';

/** One kind of GPU and node, as a `systems/{name}.yaml` describes it. Rates per second, sizes in bytes. */
export interface SystemSpec {
  name: string;
  /** Folder of its tables. */
  dataFolder: string;
  memoryBandwidth: number;
  memoryScaling: number;
  memoryLatencySeconds: number;
  memoryBytes: number;
  bf16Flops: number;
  fp8Flops: number | undefined;
  fp4Flops: number | undefined;
  smVersion: number;
  gpusPerNode: number;
  gpusPerRack: number | undefined;
  intraNodeBandwidth: number;
  interNodeBandwidth: number;
  interRackBandwidth: number | undefined;
  ncclVersion: string;
  ncclBytes: Record<string, number>;
  otherBytes: number;
}

/** Names of the systems that a `systems` folder describes. */
export function listSystems(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml') && existsSync(join(folder, 'data', file.slice(0, -5))))
    .map((file) => file.slice(0, -5))
    .sort();
}

/** @throws {AicError} when the folder has no such system */
export function readSystem(folder: string, name: string): SystemSpec {
  const path = join(folder, `${name}.yaml`);
  if (!existsSync(path))
    throw new AicError(
      `aic_system: no ${name} in ${folder}; it has ${listSystems(folder).join(', ') || 'none'}`,
    );
  const { data_dir, gpu, node, misc } = parse(readFileSync(path, 'utf8'));
  return {
    name,
    dataFolder: join(folder, data_dir ?? join('data', name)),
    memoryBandwidth: gpu.mem_bw,
    memoryScaling: gpu.mem_bw_empirical_scaling_factor ?? 1,
    memoryLatencySeconds: gpu.mem_empirical_constant_latency ?? 0,
    memoryBytes: gpu.mem_capacity,
    bf16Flops: gpu.bfloat16_tc_flops,
    fp8Flops: gpu.fp8_tc_flops,
    fp4Flops: gpu.fp4_tc_flops,
    smVersion: gpu.sm_version ?? 0,
    gpusPerNode: node.num_gpus_per_node,
    gpusPerRack: node.num_gpus_per_rack,
    intraNodeBandwidth: node.intra_node_bw,
    interNodeBandwidth: node.inter_node_bw,
    interRackBandwidth: node.inter_rack_bw,
    ncclVersion: String(misc.nccl_version),
    ncclBytes: misc.nccl_mem,
    otherBytes: misc.other_mem,
  };
}

/** Bandwidth between any two of `gpus` GPUs. */
export function p2pBandwidth(system: SystemSpec, gpus: number): number {
  if (gpus <= system.gpusPerNode) return system.intraNodeBandwidth;
  if (system.gpusPerRack === undefined || gpus <= system.gpusPerRack) return system.interNodeBandwidth;
  return system.interRackBandwidth ?? system.interNodeBandwidth;
}
