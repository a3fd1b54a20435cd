import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type { EndpointName } from './discovery/names.js';

/** Environment variables, which Dynamo's programs share. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A whole number from the environment; what is none counts as absent. */
export function countFrom(environment: Environment, name: string): number | undefined {
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
export function ownAddress(): string {
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

/** Numbers of publishers stay below 2^53, so that JSON holds them everywhere. */
export function randomPublisherId(): bigint {
  return randomId() & ((1n << 53n) - 1n);
}
