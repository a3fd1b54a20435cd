import { decodeJson, encodeJson } from '../codec/json.js';
import { Fields, Float, WireError, type WireValue, type Writable } from '../codec/value.js';

/** What a decode worker sends first: a name, version 1 and no flags, little-endian. */
export const GREETING = Buffer.from([0x44, 0x4d, 0x48, 0x46, 1, 0, 0, 0]);

/** Names a handoff in every frame; it never changes during a session. */
export interface HandoffIdentity {
  handoffId: string;
  room: bigint;
  requestId: string;
}

/** Whose side acts first: vLLM computes the prompt before room is made for it, SGLang afterwards. */
export type HandoffOrder = 'SourceFirst' | 'DestinationFirst';

export interface TransferTiming {
  mode: 'full_prompt' | 'destination_missing';
  fullPromptTokens: number;
  kvBytesPerToken: number | undefined;
  gigabytesPerSecond: number | undefined;
}

type Outcome = 'Submitted' | 'Accepted' | 'Scheduled' | 'Applied' | 'Noop' | { failed: string };

export type HandoffMessage =
  | { kind: 'register'; rank: number; order: HandoffOrder; engineType: string }
  | { kind: 'registered' }
  | { kind: 'action'; id: number; action: string }
  | { kind: 'acknowledged'; id: number; outcome: Outcome }
  | { kind: 'sourceHeld'; timing: TransferTiming }
  | { kind: 'destinationReserved'; transferTokens: number }
  | { kind: 'fact'; name: string; value: WireValue }
  | { kind: 'complete' }
  | { kind: 'abort'; message: string }
  | { kind: 'overloaded' }
  | { kind: 'protocolError'; message: string };

export function encodeHandoff(identity: HandoffIdentity, message: HandoffMessage): string {
  return encodeJson({
    identity: {
      handoff_id: identity.handoffId,
      bootstrap_room: identity.room,
      request_id: identity.requestId,
    },
    message: messageValue(message, identity.handoffId),
  });
}

function messageValue(message: HandoffMessage, handoffId: string): Writable {
  switch (message.kind) {
    case 'register':
      return {
        Register: {
          role: 'Destination',
          dp_rank: message.rank,
          order: message.order,
          engine_type: message.engineType,
        },
      };
    case 'registered':
      return 'Registered';
    case 'action':
      return { Action: { id: message.id, action: { [message.action]: { handoff_id: handoffId } } } };
    case 'acknowledged': {
      const { outcome } = message;
      return {
        ActionAck: {
          action_id: message.id,
          outcome: typeof outcome === 'string' ? outcome : { Failed: outcome.failed },
        },
      };
    }
    case 'sourceHeld':
      return {
        Fact: { SourceHeld: { handoff_id: handoffId, transfer_timing: timingValue(message.timing) } },
      };
    case 'destinationReserved':
      return {
        Fact: {
          DestinationReserved: {
            handoff_id: handoffId,
            transferable_prompt_tokens: message.transferTokens,
          },
        },
      };
    case 'fact':
      return { Fact: { [message.name]: message.value } };
    case 'complete':
      return 'Complete';
    case 'abort':
      return { Abort: { message: message.message } };
    case 'overloaded':
      return 'Overloaded';
    case 'protocolError':
      return { ProtocolError: { message: message.message } };
  }
}

function timingValue(timing: TransferTiming): Writable {
  return {
    mode: timing.mode,
    full_prompt_tokens: timing.fullPromptTokens,
    kv_bytes_per_token: timing.kvBytesPerToken ?? null,
    bandwidth_gb_s: timing.gigabytesPerSecond === undefined ? null : new Float(timing.gigabytesPerSecond),
  };
}

/** @throws {WireError} */
export function decodeHandoff(text: string): { identity: HandoffIdentity; message: HandoffMessage } {
  const frame = Fields.of(decodeJson(text), 'handoff');
  const identity = frame.fields('identity');
  return {
    identity: {
      handoffId: identity.text('handoff_id'),
      room: identity.u64('bootstrap_room'),
      requestId: identity.text('request_id'),
    },
    message: readMessage(frame.get('message')),
  };
}

const WORDS = { Registered: 'registered', Complete: 'complete', Overloaded: 'overloaded' } as const;

function readMessage(value: WireValue | undefined): HandoffMessage {
  if (typeof value === 'string' && Object.hasOwn(WORDS, value))
    return { kind: WORDS[value as keyof typeof WORDS] };
  const [name, body] = onlyMember(value, 'message');
  const fields = Fields.of(body, name);
  switch (name) {
    case 'Register':
      return {
        kind: 'register',
        rank: fields.count('dp_rank'),
        order: fields.text('order') as HandoffOrder,
        engineType: fields.text('engine_type'),
      };
    case 'Action':
      return {
        kind: 'action',
        id: fields.count('id'),
        action: onlyMember(fields.get('action'), 'action')[0],
      };
    case 'ActionAck':
      return { kind: 'acknowledged', id: fields.count('action_id'), outcome: readOutcome(fields) };
    case 'Fact':
      return readFact(body);
    case 'Abort':
      return { kind: 'abort', message: fields.text('message') };
    case 'ProtocolError':
      return { kind: 'protocolError', message: fields.text('message') };
    default:
      throw new WireError(`handoff.message: ${name} is unknown`);
  }
}

function readOutcome(fields: Fields): Outcome {
  const outcome = fields.get('outcome');
  if (typeof outcome === 'string') return outcome as Exclude<Outcome, object>;
  return { failed: String(onlyMember(outcome, 'outcome')[1]) };
}

function readFact(body: WireValue): HandoffMessage {
  const [name, value] = onlyMember(body, 'Fact');
  if (name === 'DestinationReserved')
    return {
      kind: 'destinationReserved',
      transferTokens: Fields.of(value, name).count('transferable_prompt_tokens'),
    };
  if (name !== 'SourceHeld') return { kind: 'fact', name, value };
  const timing = Fields.of(value, name).fields('transfer_timing');
  return {
    kind: 'sourceHeld',
    timing: {
      mode: timing.text('mode') as TransferTiming['mode'],
      fullPromptTokens: timing.count('full_prompt_tokens'),
      kvBytesPerToken: timing.optionalCount('kv_bytes_per_token'),
      gigabytesPerSecond:
        timing.get('bandwidth_gb_s') === undefined ? undefined : timing.float('bandwidth_gb_s'),
    },
  };
}

/** A Rust enum with content is a map of one member. */
function onlyMember(value: WireValue | undefined, where: string): [string, WireValue] {
  if (value instanceof Map && value.size === 1) return [...value][0];
  throw new WireError(`handoff.${where}: expected a map of one member`);
}
