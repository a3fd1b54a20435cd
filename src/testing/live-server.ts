import { type LiveServer, type ServerSettings, startServer } from '../live/openai/server.js';

/** Starts a server on a free port with a fleet that is fast enough for a test. */
export function startTestServer(settings: Partial<ServerSettings> = {}): Promise<LiveServer> {
  return startServer({
    fleet: { extraEngineArgs: '{"speedup_ratio": 20}' },
    host: '127.0.0.1',
    port: 0,
    modelName: 'mock',
    modelPath: undefined,
    defaultOutputTokens: 16,
    reasoning: undefined,
    seed: 1n,
    faults: [],
    mostWaiting: undefined,
    overloadStatus: 529,
    mostBodyBytes: 1 << 20,
    mostConnections: 1000,
    kvEvents: undefined,
    ...settings,
  });
}
