import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FrameReader } from '../codec/frames.js';
import { Float, type WireValue } from '../codec/value.js';
import type { Instance } from '../discovery/records.js';
import type { Call, Handler } from './call-home.js';
import { type CallSink, RequestClient } from './client.js';
import type { Codec } from './messages.js';
import { TcpRequestPlane } from './tcp-server.js';

const NAME = { namespace: 'dynamo', component: 'backend', endpoint: 'generate' };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function connected(handler: Handler, codec?: Codec, limits = { running: 10, queued: 10 }) {
  const plane = await TcpRequestPlane.listen('127.0.0.1', 0, limits);
  const client = await RequestClient.listen('127.0.0.1', () => 1n);
  closing.push(
    () => client.close(),
    () => plane.close(),
  );
  const instanceId = 14108535875771164847n;
  const transport = await plane.serve(NAME, instanceId, handler);
  const instance: Instance = { ...NAME, instanceId, transport, codec };
  return { plane, client, instance };
}

/** Everything that came of a call, and a promise of its end. */
function collect() {
  const heard: string[] = [];
  let done = (): void => {};
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  const sink: CallSink = {
    item: (value: WireValue) => void heard.push(JSON.stringify([...(value as Map<string, WireValue>)])),
    ended: () => {
      heard.push('ended');
      done();
    },
    failed: (kind, message) => {
      heard.push(`${kind}: ${message}`);
      done();
    },
  };
  return { heard, over, sink };
}

const question = () => ({ id: 2n ** 64n - 1n, share: new Float(0) });

describe.each([undefined, 'json', 'msgpack'] as const)('a call with codec %s', (codec) => {
  it('is answered item by item', async () => {
    const { client, instance } = await connected((call) => {
      call.accept();
      expect((call.value as Map<string, WireValue>).get('id')).toBe(2n ** 64n - 1n);
      for (let i = 0; i < 3; i++) call.send({ token: i });
      call.end();
    }, codec);
    const { heard, over, sink } = collect();
    client.call(instance, question, sink);
    await over;
    expect(heard).toEqual(['[["token",0]]', '[["token",1]]', '[["token",2]]', 'ended']);
  });

  it('can be refused', async () => {
    const { client, instance } = await connected((call) => call.refuse('Generate Error: no'), codec);
    const { heard, over, sink } = collect();
    client.call(instance, question, sink);
    await over;
    expect(heard).toEqual(['refused: Generate Error: no']);
  });
});

describe('a call', () => {
  it('that is cancelled reaches the worker', async () => {
    const calls: Call[] = [];
    const onCancel = vi.fn();
    const { client, instance } = await connected((call) => {
      call.accept();
      call.onCancel = onCancel;
      calls.push(call);
      call.send({ token: 0 });
    });
    const { heard, sink } = collect();
    const outgoing = client.call(instance, question, sink);
    await vi.waitFor(() => expect(heard).toHaveLength(1));
    outgoing.cancel();
    await vi.waitFor(() => expect(onCancel).toHaveBeenCalledOnce());
    calls[0].send({ token: 1 });
    calls[0].end();
    expect(heard).toHaveLength(1);
  });

  it('whose stream breaks off fails', async () => {
    const { client, instance } = await connected((call) => {
      call.accept();
      call.send({ token: 0 });
      setTimeout(() => call.abort(), 20);
    });
    const { heard, over, sink } = collect();
    client.call(instance, question, sink);
    await over;
    expect(heard[1]).toBe('broken: Stream ended before generation completed');
  });

  it('to a worker that goes away fails', async () => {
    const { client, instance } = await connected(() => {});
    const { heard, over, sink } = collect();
    client.call(instance, question, sink);
    client.instanceRemoved('dynamo/backend/generate/c3cba8a5d3d1c5af');
    client.instanceRemoved(`dynamo/backend/generate/${instance.instanceId.toString(16)}`);
    await over;
    expect(heard).toEqual(['broken: the worker has gone']);
  });

  it('to nobody fails at once', async () => {
    const { client, plane, instance } = await connected(() => {});
    await plane.withdraw(NAME, instance.instanceId);
    const { heard, over, sink } = collect();
    client.call(instance, question, sink);
    await over;
    expect(heard[0]).toMatch(/^unreachable: Unknown endpoint/);
  });

  it('too many is turned away, and others wait their turn', async () => {
    const calls: Call[] = [];
    const { client, instance } = await connected(
      (call) => {
        call.accept();
        calls.push(call);
      },
      'msgpack',
      { running: 1, queued: 1 },
    );
    const answers = [collect(), collect(), collect()];
    for (const { sink } of answers) client.call(instance, question, sink);
    await answers[2].over;
    expect(answers[2].heard[0]).toMatch(/^overloaded: Server overloaded:/);
    await vi.waitFor(() => expect(calls).toHaveLength(1));
    calls[0].end();
    await answers[0].over;
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    calls[1].end();
    await answers[1].over;
    expect(answers[1].heard).toEqual(['ended']);
  });
});

it('bytes that are no request are refused without harm to others', async () => {
  const { client, plane, instance } = await connected((call) => {
    call.accept();
    call.end();
  });
  const [host, port] = plane.address.split(':');
  const socket = connect(Number(port), host);
  const acks = FrameReader.acks();
  const ack = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      for (const text of acks.push(chunk)) resolve(text);
    });
  });
  socket.write(Buffer.from('000161000000000003616263', 'hex'));
  expect(await ack).toBe('Unknown endpoint: a');
  socket.write(Buffer.from('0001610000ffffffff', 'hex'));
  await new Promise((resolve) => socket.on('close', resolve));
  const { heard, over, sink } = collect();
  client.call(instance, question, sink);
  await over;
  expect(heard).toEqual(['ended']);
});
