import { randomBytes } from 'node:crypto';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../config/input-error.js';
import type { WallClock } from '../clock.js';
import type { EndpointName } from './discovery/names.js';
import type { Registry } from './discovery/registry.js';
import type { RequestPlane } from './request-plane/plane.js';

/** How the members of a deployment find and reach each other. */
export interface PlaneChoices {
  discovery: string;
  requestPlane: string;
  eventPlane: string;
}

/** Environment variables, which Dynamo's programs share. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A whole number from the environment; what is none counts as absent. */
function countFrom(environment: Environment, name: string): number | undefined {
  const text = environment[name];
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** The namespace of workers: `DYN_NAMESPACE`, with a suffix where one is set. */
function workerNamespace(environment: Environment): string {
  const suffix = environment.DYN_NAMESPACE_WORKER_SUFFIX;
  const namespace = environment.DYN_NAMESPACE || 'dynamo';
  return suffix ? `${namespace}-${suffix}` : namespace;
}

/** Where the default endpoint of a worker stands. */
export function defaultEndpoint(environment: Environment, isPrefill: boolean): EndpointName {
  const component = isPrefill ? 'prefill' : 'backend';
  return { namespace: workerNamespace(environment), component, endpoint: 'generate' };
}

/** The address at which others reach this host: not loopback where there is another. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter(({ internal }) => !internal);
  const found =
    outside.find(({ family }) => family === 'IPv4') ?? outside.find(({ scopeid }) => scopeid === 0);
  return found?.address ?? '127.0.0.1';
}

/** A number of 64 bits that nobody else has. */
export function randomId(): bigint {
  return randomBytes(8).readBigUInt64BE(0);
}

/** Opens the discovery backend. @throws {InputError} for one that does not exist here */
export async function openRegistry(
  backend: string,
  environment: Environment,
  clock: WallClock,
): Promise<Registry> {
  if (backend === 'file') {
    const { FileRegistry } = await import('./discovery/file-registry.js');
    const root = environment.DYN_FILE_KV || join(environment.TMPDIR || tmpdir(), 'dynamo_store_kv');
    return new FileRegistry(root, randomId(), clock);
  }
  if (backend === 'mem') {
    const { MemoryRegistry, MemoryStore } = await import('./discovery/memory-registry.js');
    return new MemoryRegistry(new MemoryStore(), randomId());
  }
  throw new InputError(`--discovery-backend: ${backend} is not supported, allowed are etcd, file, mem`);
}

/** Opens the request plane. @throws {InputError} */
export async function openRequestPlane(plane: string, environment: Environment): Promise<RequestPlane> {
  const limit = countFrom(environment, 'DYN_ENGINE_REQUEST_LIMIT');
  const limits =
    limit === undefined
      ? {
          running: countFrom(environment, 'DYN_TCP_WORKER_POOL_SIZE') ?? 10_000,
          queued: countFrom(environment, 'DYN_TCP_WORK_QUEUE_SIZE') ?? 40_000,
        }
      : { running: limit, queued: countFrom(environment, 'DYN_DYNAMO_REQUEST_QUEUE_LIMIT') ?? 16 };
  if (plane === 'tcp') {
    const { TcpRequestPlane } = await import('./request-plane/tcp-server.js');
    const host = environment.DYN_TCP_RPC_HOST || ownAddress();
    return TcpRequestPlane.listen(host, countFrom(environment, 'DYN_TCP_RPC_PORT') ?? 0, limits);
  }
  throw new InputError(`--request-plane: ${plane} is not supported, allowed are nats, tcp`);
}
