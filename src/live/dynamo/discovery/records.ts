import { decodeJson, encodeJson } from '../codec/json.js';
import { Fields, WireError, type WireMap, type WireValue, type Writable } from '../codec/value.js';
import type { Codec } from '../request-plane/messages.js';
import { type EndpointName, encodeSegment, endpointPath } from './names.js';

/** Where records are kept, by what they are of. */
export const BUCKETS = {
  instances: 'v1/instances',
  models: 'v1/mdc',
  channels: 'v1/event_channels',
  sources: 'v1/event_sources',
} as const;
export type Bucket = (typeof BUCKETS)[keyof typeof BUCKETS];

/** How requests reach an endpoint: `host:port/path` over TCP, or a NATS subject. */
export type RequestTransport = { kind: 'tcp'; address: string } | { kind: 'nats'; subject: string };

/** An endpoint that is there to be called. */
export interface Instance extends EndpointName {
  instanceId: bigint;
  transport: RequestTransport;
  deviceType?: string | undefined;
  /** Absent: JSON. */
  codec?: Codec | undefined;
}

/** What the events of a channel or source are about. */
export type Scope =
  | { kind: 'namespace'; namespace: string }
  | { kind: 'component'; namespace: string; component: string }
  | ({ kind: 'endpoint' } & EndpointName);

export type EventTransport =
  | { kind: 'zmq'; endpoint: string }
  | { kind: 'nats'; subjectPrefix: string }
  | { kind: 'broker'; config: WireMap };

/** Where the messages of a publisher are to be had. */
export interface EventChannel {
  scope: Scope;
  topic: string;
  publisherId: bigint;
  transport: EventTransport;
}

/** A rank whose KV events a publisher carries, and where to ask for what came before. */
export interface EventSource {
  scope: Scope;
  topic: string;
  publisherId: bigint;
  kvState: EndpointName;
  workerId: bigint;
  rank: number;
  recovery: Instance | undefined;
}

/** A model that an endpoint serves. */
export interface ModelRecord extends EndpointName {
  instanceId: bigint;
  card: WireMap;
  /** Of a LoRA adapter. */
  suffix?: string | undefined;
}

export type DiscoveryRecord =
  | { type: 'Endpoint'; instance: Instance }
  | { type: 'EventChannel'; channel: EventChannel }
  | { type: 'EventSource'; source: EventSource }
  | { type: 'Model'; model: ModelRecord };

// ---- Keys ----------------------------------------------------------------------------------------------------

/** Bucket and key of a record. */
export function placeOf(record: DiscoveryRecord): { bucket: Bucket; key: string } {
  switch (record.type) {
    case 'Endpoint':
      return { bucket: BUCKETS.instances, key: endpointKey(record.instance) };
    case 'Model': {
      const { suffix } = record.model;
      const key = endpointKey(record.model);
      return { bucket: BUCKETS.models, key: suffix === undefined ? key : `${key}/${suffix}` };
    }
    case 'EventChannel':
      return { bucket: BUCKETS.channels, key: eventKey(record.channel) };
    case 'EventSource':
      return { bucket: BUCKETS.sources, key: eventKey(record.source) };
  }
}

/** The key of an endpoint's record. */
export function endpointKey(instance: EndpointName & { instanceId: bigint }): string {
  return `${endpointPath(instance)}/${instance.instanceId.toString(16)}`;
}

function eventKey({ scope, topic, publisherId }: Omit<EventChannel, 'transport'>): string {
  return `${scopePath(scope)}/topic/${encodeSegment(topic)}/${publisherId.toString(16)}`;
}

function scopeParts(scope: Scope): [string, string][] {
  const parts: [string, string][] = [['namespace', scope.namespace]];
  if (scope.kind !== 'namespace') parts.push(['component', scope.component]);
  if (scope.kind === 'endpoint') parts.push(['endpoint', scope.endpoint]);
  return parts.map(([name, value]) => [name, encodeSegment(value)]);
}

/** The scope as the beginning of a key. */
function scopePath(scope: Scope): string {
  return scopeParts(scope)
    .map((part) => part.join('/'))
    .join('/');
}

/** The scope as the beginning of a NATS subject. */
export function scopeSubject(scope: Scope): string {
  return scopeParts(scope)
    .map((part) => part.join('.'))
    .join('.');
}

// ---- Text ----------------------------------------------------------------------------------------------------

export function encodeRecord(record: DiscoveryRecord): string {
  return encodeJson(recordValue(record));
}

function recordValue(record: DiscoveryRecord): Writable {
  switch (record.type) {
    case 'Endpoint':
      return { type: 'Endpoint', ...instanceValue(record.instance) };
    case 'EventChannel': {
      const { scope, topic, publisherId, transport } = record.channel;
      return {
        type: 'EventChannel',
        scope: scopeValue(scope),
        topic,
        instance_id: publisherId,
        transport: eventTransportValue(transport),
      };
    }
    case 'EventSource':
      return { type: 'EventSource', ...sourceValue(record.source) };
    case 'Model': {
      const { namespace, component, endpoint, instanceId, card, suffix } = record.model;
      return {
        type: 'Model',
        namespace,
        component,
        endpoint,
        instance_id: instanceId,
        card_json: card,
        model_suffix: suffix,
      };
    }
  }
}

function instanceValue(instance: Instance): { [name: string]: Writable | undefined } {
  const { component, endpoint, namespace, instanceId, transport, deviceType, codec } = instance;
  return {
    component,
    endpoint,
    namespace,
    instance_id: instanceId,
    transport: transport.kind === 'tcp' ? { tcp: transport.address } : { nats_tcp: transport.subject },
    device_type: deviceType,
    request_plane_codec: codec,
  };
}

function sourceValue({ scope, topic, publisherId, kvState, ...source }: EventSource) {
  return {
    scope: scopeValue(scope),
    topic,
    publisher_id: publisherId,
    metadata: {
      kv_state_endpoint: nameValue(kvState),
      worker: { worker_id: source.workerId, dp_rank: source.rank },
      publisher_id: publisherId,
      recovery_target: source.recovery && instanceValue(source.recovery),
    },
  };
}

function nameValue({ namespace, component, endpoint }: EndpointName): Writable {
  return { namespace, component, name: endpoint };
}

function scopeValue(scope: Scope): Writable {
  if (scope.kind === 'namespace') return { kind: 'namespace', name: scope.namespace };
  if (scope.kind === 'component')
    return { kind: 'component', namespace: scope.namespace, component: scope.component };
  return { kind: 'endpoint', endpoint: nameValue(scope) };
}

function eventTransportValue(transport: EventTransport): Writable {
  if (transport.kind === 'zmq') return { kind: 'Zmq', config: { endpoint: transport.endpoint } };
  if (transport.kind === 'nats') return { kind: 'Nats', config: { subject_prefix: transport.subjectPrefix } };
  return { kind: 'ZmqBroker', config: transport.config };
}

/** @throws {WireError} */
export function decodeRecord(text: string): DiscoveryRecord {
  const record = Fields.of(decodeJson(text), 'record');
  const type = record.text('type');
  switch (type) {
    case 'Endpoint':
      return { type, instance: readInstance(record) };
    case 'EventChannel':
      return {
        type,
        channel: {
          scope: readScope(record.fields('scope')),
          topic: record.text('topic'),
          publisherId: record.u64('instance_id'),
          transport: readEventTransport(record.fields('transport')),
        },
      };
    case 'EventSource':
      return { type, source: readSource(record) };
    case 'Model':
      return {
        type,
        model: {
          ...readNames(record),
          instanceId: record.u64('instance_id'),
          card: asMap(record.get('card_json')),
          suffix: record.optionalText('model_suffix'),
        },
      };
    default:
      throw new WireError(`record.type: ${type} is unknown`);
  }
}

function asMap(value: WireValue | undefined): WireMap {
  if (value instanceof Map) return value;
  throw new WireError('record.card_json: expected a map');
}

function readNames(fields: Fields): EndpointName {
  return {
    namespace: fields.text('namespace'),
    component: fields.text('component'),
    endpoint: fields.text('endpoint'),
  };
}

function readName(fields: Fields): EndpointName {
  return {
    namespace: fields.text('namespace'),
    component: fields.text('component'),
    endpoint: fields.text('name'),
  };
}

function readInstance(fields: Fields): Instance {
  const transport = fields.fields('transport');
  const address = transport.optionalText('tcp');
  const codec = fields.optionalText('request_plane_codec');
  if (codec !== undefined && codec !== 'json' && codec !== 'msgpack')
    throw new WireError(`record.request_plane_codec: ${codec} is unknown`);
  return {
    ...readNames(fields),
    instanceId: fields.u64('instance_id'),
    transport:
      address === undefined
        ? { kind: 'nats', subject: transport.text('nats_tcp') }
        : { kind: 'tcp', address },
    deviceType: fields.optionalText('device_type'),
    codec,
  };
}

function readScope(fields: Fields): Scope {
  const kind = fields.text('kind');
  if (kind === 'namespace') return { kind, namespace: fields.text('name') };
  if (kind === 'component')
    return { kind, namespace: fields.text('namespace'), component: fields.text('component') };
  return { kind: 'endpoint', ...readName(fields.fields('endpoint')) };
}

function readEventTransport(fields: Fields): EventTransport {
  const kind = fields.text('kind');
  if (kind === 'Zmq') return { kind: 'zmq', endpoint: fields.fields('config').text('endpoint') };
  if (kind === 'Nats') return { kind: 'nats', subjectPrefix: fields.fields('config').text('subject_prefix') };
  if (kind !== 'ZmqBroker') throw new WireError(`record.transport.kind: ${kind} is unknown`);
  return { kind: 'broker', config: asMap(fields.get('config')) };
}

function readSource(fields: Fields): EventSource {
  const metadata = fields.fields('metadata');
  const worker = metadata.fields('worker');
  const recovery = metadata.optionalFields('recovery_target');
  return {
    scope: readScope(fields.fields('scope')),
    topic: fields.text('topic'),
    publisherId: fields.u64('publisher_id'),
    kvState: readName(metadata.fields('kv_state_endpoint')),
    workerId: worker.u64('worker_id'),
    rank: worker.count('dp_rank'),
    recovery: recovery && readInstance(recovery),
  };
}
