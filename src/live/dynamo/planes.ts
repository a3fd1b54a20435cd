import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { InputError } from '../../config/input-error.js';
import type { WallClock } from '../clock.js';
import type { Registry } from './discovery/registry.js';
import { countFrom, type Environment, ownAddress, randomId } from './environment.js';
import type { EventPlane } from './event-plane/plane.js';
import type { RequestSender } from './request-plane/client.js';
import type { RequestPlane } from './request-plane/plane.js';

/** How the members of a deployment find and reach each other. */
interface PlaneChoices {
  discovery: string;
  requestPlane: string;
  eventPlane: string;
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
  if (backend === 'etcd') {
    const { EtcdRegistry } = await import('./discovery/etcd-registry.js');
    return EtcdRegistry.open(environment);
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
  if (plane === 'nats') {
    const { NatsRequestPlane } = await import('./request-plane/nats.js');
    return new NatsRequestPlane(await connectNats(environment), limits);
  }
  throw new InputError(`--request-plane: ${plane} is not supported, allowed are nats, tcp`);
}

/** Carries requests over NATS to workers that stand behind it; undefined where there is no NATS. */
export async function openNatsSender(
  plane: string,
  environment: Environment,
): Promise<RequestSender | undefined> {
  if (plane !== 'nats') return undefined;
  const { NatsSender } = await import('./request-plane/nats.js');
  return new NatsSender(await connectNats(environment));
}

/** Planes by flags, else by environment. */
export function planesOf(
  flags: { discoveryBackend?: string; requestPlane?: string; eventPlane?: string },
  environment: Environment,
): PlaneChoices {
  return {
    discovery: flags.discoveryBackend ?? environment.DYN_DISCOVERY_BACKEND ?? 'etcd',
    requestPlane: flags.requestPlane ?? environment.DYN_REQUEST_PLANE ?? 'tcp',
    eventPlane: flags.eventPlane ?? (environment.DYN_EVENT_PLANE || 'zmq'),
  };
}

/** Opens the event plane. @throws {InputError} */
export async function openEventPlane(plane: string, environment: Environment): Promise<EventPlane> {
  if (plane === 'nats') {
    const { NatsEventPlane } = await import('./event-plane/nats.js');
    return new NatsEventPlane(await connectNats(environment));
  }
  // Dynamo takes what it does not know for ZMQ.
  const { ZmqEventPlane } = await import('./event-plane/zmq.js');
  return new ZmqEventPlane(ownAddress());
}

let nats: Promise<NatsConnection> | undefined;

/** The connection to NATS, which all planes of a process share. @throws {InputError} when nobody is there */
function connectNats(environment: Environment): Promise<NatsConnection> {
  nats ??= openNats(environment.NATS_SERVER || 'nats://localhost:4222');
  return nats;
}

async function openNats(servers: string): Promise<NatsConnection> {
  const { connect } = await import('@nats-io/transport-node');
  try {
    return await connect({ servers: servers.split(','), maxReconnectAttempts: -1 });
  } catch (error) {
    throw new InputError(`NATS_SERVER: ${servers} cannot be reached (${(error as Error).message})`);
  }
}

/** Ends the connection to NATS, if there is one. */
export async function disconnectNats(): Promise<void> {
  const open = nats;
  nats = undefined;
  await (await open)?.drain();
}
