import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { decodeTwoPart, encodeAck, FrameReader, type RequestFrame } from '../codec/frames.js';
import { WireError } from '../codec/value.js';
import type { EndpointName } from '../discovery/names.js';
import type { RequestTransport } from '../discovery/records.js';
import { Admission, type AdmissionLimits } from './admission.js';
import { callHome, type Handler } from './call-home.js';
import { decodeControl } from './messages.js';
import { OVERLOADED, type RequestPlane } from './plane.js';

/** Takes requests for all endpoints of a process on one port. */
export class TcpRequestPlane implements RequestPlane {
  private readonly handlers = new Map<string, Handler>();
  private readonly sockets = new Set<Socket>();
  private readonly admission: Admission;

  private constructor(
    private readonly server: Server,
    private readonly host: string,
    limits: AdmissionLimits,
  ) {
    this.admission = new Admission(limits);
    server.on('connection', (socket) => this.welcome(socket));
  }

  /** @param port 0 for any */
  static async listen(host: string, port: number, limits: AdmissionLimits): Promise<TcpRequestPlane> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, resolve);
    });
    return new TcpRequestPlane(server, host, limits);
  }

  get address(): string {
    const { port } = this.server.address() as AddressInfo;
    return this.host.includes(':') ? `[${this.host}]:${port}` : `${this.host}:${port}`;
  }

  async serve(name: EndpointName, instanceId: bigint, handler: Handler): Promise<RequestTransport> {
    const path = `${instanceId.toString(16)}/${name.endpoint}`;
    this.handlers.set(path, handler);
    return { kind: 'tcp', address: `${this.address}/${path}` };
  }

  async withdraw(name: EndpointName, instanceId: bigint): Promise<void> {
    this.handlers.delete(`${instanceId.toString(16)}/${name.endpoint}`);
  }

  private welcome(socket: Socket): void {
    const frames = FrameReader.requests();
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk) => {
      try {
        // One write for the acknowledgements of all requests that came together, in their order.
        const acks = frames.push(chunk).map((frame) => encodeAck(this.take(frame)));
        if (acks.length > 0) socket.write(Buffer.concat(acks));
      } catch (error) {
        socket.end(encodeAck(`Read error: ${(error as Error).message}`));
      }
    });
  }

  /** @returns what to acknowledge with: nothing, or why the request is not taken */
  private take(frame: RequestFrame): string {
    const handler = this.handlers.get(frame.path);
    if (!handler) return `Unknown endpoint: ${frame.path}`;
    try {
      const { header, data } = decodeTwoPart(frame.payload);
      const control = decodeControl(header);
      const start = () => callHome(control, data, handler, () => this.admission.leave());
      return this.admission.enter(start) ? '' : OVERLOADED;
    } catch (error) {
      if (error instanceof WireError) return `Read error: ${error.message}`;
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroySoon();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
