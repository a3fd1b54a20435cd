import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InputError } from '../../../config/input-error.js';
import type { ModelFile } from '../discovery/card.js';
import type { WorkerMetrics } from './worker-metrics.js';

const METADATA = '/v1/metadata/';

/** The status port of a process of workers: health, metrics, and the files of the model for frontends elsewhere. */
export class SystemServer {
  /** Endpoints that are served, by name. */
  readonly endpoints = new Set<string>();
  files: readonly ModelFile[] = [];

  private constructor(
    private readonly server: Server,
    private readonly metrics: WorkerMetrics,
    private readonly uptimeMs: () => number,
  ) {
    server.on('request', (request, response) => void this.answer(request, response));
  }

  /** @throws {InputError} when the port is taken */
  static async listen(
    host: string,
    port: number,
    metrics: WorkerMetrics,
    uptimeMs: () => number,
  ): Promise<SystemServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new InputError(`DYN_SYSTEM_PORT: ${error.message}`)));
      server.listen({ host, port }, resolve);
    });
    return new SystemServer(server, metrics, uptimeMs);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    if (request.method !== 'GET') reply(response, 405, { message: 'only GET is served here' });
    else if (path === '/health') reply(response, this.endpoints.size > 0 ? 200 : 503, this.health());
    else if (path === '/live') reply(response, 200, { status: 'live' });
    else if (path === '/metrics') {
      const { type, text } = await this.metrics.text();
      response.writeHead(200, { 'content-type': type }).end(text);
    } else if (path.startsWith(METADATA)) this.sendFile(path.slice(path.lastIndexOf('/') + 1), response);
    else reply(response, 404, { message: `no such path: ${path}` });
  }

  private health(): object {
    const ms = this.uptimeMs();
    const secs = Math.floor(ms / 1000);
    return {
      status: this.endpoints.size > 0 ? 'ready' : 'notready',
      uptime: { secs, nanos: Math.floor((ms - secs * 1000) * 1e6) },
      endpoints: Object.fromEntries([...this.endpoints].map((name) => [name, 'ready'])),
    };
  }

  private sendFile(name: string, response: ServerResponse): void {
    const file = this.files.find((candidate) => candidate.file === name);
    if (!file) {
      reply(response, 404, { message: `no such file: ${name}` });
      return;
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.bytes });
    createReadStream(file.path)
      .on('error', () => response.destroy())
      .pipe(response);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
