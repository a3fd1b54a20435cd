import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../../bin/dynosim.js', import.meta.url));
/** What Dynamo needs for this, without what its packages ask for besides. */
const PACKAGES = [
  ...['uvloop', 'pydantic<2.13', 'aiohttp', 'msgspec', 'prometheus-client', 'pyzmq', 'typing-extensions'],
  ...['zstandard', 'numpy<2', 'pandas', 'pyyaml', 'tqdm', 'transformers>=4.56', 'certifi', 'plotly'],
];
const START_MS = 60_000;

/** Python with a release of Dynamo: as `DYNOSIM_DYNAMO_PYTHON` says, else installed into the user's cache once. */
export function dynamoPython(version: string): string {
  const given = process.env.DYNOSIM_DYNAMO_PYTHON;
  if (given) return given;
  const folder = join(
    process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
    'dynosim',
    `dynamo-${version}`,
  );
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'complete'))) return python;
  mkdirSync(dirname(folder), { recursive: true });
  execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  const install = (...what: string[]) =>
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', ...what], { stdio: 'inherit' });
  install('--no-deps', `ai-dynamo==${version}`, `ai-dynamo-runtime==${version}`);
  install(...PACKAGES);
  writeFileSync(join(folder, 'complete'), '');
  return python;
}

/** A port that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Whether a program is installed. */
export function hasProgram(name: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)));
}

export async function until<T>(
  look: () => Promise<T | undefined> | T | undefined,
  ms = START_MS,
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A program of a deployment. */
export class Member {
  private output = '';
  readonly gone: Promise<number | null>;

  constructor(readonly process: ChildProcess) {
    for (const stream of [process.stdout, process.stderr])
      stream?.on('data', (chunk) => {
        this.output += chunk;
      });
    this.gone = new Promise((resolve) => process.on('exit', (code) => resolve(code)));
  }

  get log(): string {
    return this.output;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.process.kill(signal);
    const late = setTimeout(() => this.process.kill('SIGKILL'), 15_000);
    const code = await this.gone;
    clearTimeout(late);
    return code;
  }
}

/** What tests look at in answers; the text itself where that is no JSON. */
type Body = string & {
  choices: { text: string; message: { content: string } }[];
  usage: {
    prompt_tokens: number;
    completion_tokens: number;
    total_tokens: number;
    prompt_tokens_details: { cached_tokens: number };
  };
  nvext: {
    timing: { kv_hit_rate: number };
    worker_id: { prefill_worker_id: number; decode_worker_id: number };
  };
};

/** What an answer was. */
export interface Reply {
  status: number;
  body: Body;
}

/** A deployment on this machine: frontends and workers, of Dynamo and ours, that find each other. */
export class TestDeployment {
  readonly folder = mkdtempSync(join(tmpdir(), 'dynosim-interop-'));
  private readonly members: Member[] = [];
  port = 0;
  environment: Record<string, string> = {
    DYN_DISCOVERY_BACKEND: 'file',
    DYN_FILE_KV: join(this.folder, 'kv'),
    HF_HUB_OFFLINE: '1',
    DYN_LOG: 'warn',
  };

  constructor(
    private readonly python: string,
    private readonly model: string,
  ) {}

  start(program: string, args: readonly string[], environment: Record<string, string> = {}): Member {
    const env = { ...process.env, ...this.environment, ...environment };
    const member = new Member(spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
    this.members.push(member);
    return member;
  }

  async frontend(kind: 'ours' | 'dynamo', ...args: string[]): Promise<Member> {
    this.port = await freePort();
    const common = ['--http-host', '127.0.0.1', '--http-port', String(this.port), ...args];
    return kind === 'ours'
      ? this.start(process.execPath, [PROGRAM, 'frontend', ...common])
      : this.start(this.python, ['-m', 'dynamo.frontend', ...common]);
  }

  /** A worker with the model of the tests, blocks of 16 tokens. */
  async worker(kind: 'ours' | 'dynamo', ...args: string[]): Promise<Member> {
    const common = ['--model-path', this.model, '--model-name', 'tiny', '--num-gpu-blocks-override', '512'];
    if (!args.includes('--block-size')) common.push('--block-size', '16');
    return kind === 'ours'
      ? this.start(process.execPath, [PROGRAM, 'mocker', ...common, ...args])
      : this.start(this.python, ['-m', 'dynamo.mocker', ...common, ...args], {
          // Any that is free; Dynamo reads no number above 32767.
          DYN_SYSTEM_PORT: '0',
        });
  }

  async post(path: string, body: object, signal?: AbortSignal): Promise<Reply> {
    const response = await fetch(`http://127.0.0.1:${this.port}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny', ...body }),
      ...(signal ? { signal } : {}),
    });
    const text = await response.text();
    try {
      return { status: response.status, body: JSON.parse(text) as Body };
    } catch {
      return { status: response.status, body: text as Body };
    }
  }

  async models(): Promise<string[]> {
    try {
      const { data } = (await (await fetch(`http://127.0.0.1:${this.port}/v1/models`)).json()) as {
        data: { id: string }[];
      };
      return data.map(({ id }) => id);
    } catch {
      return [];
    }
  }

  /** Waits until the model can be asked for, and answers. */
  async ready(): Promise<void> {
    await until(async () => {
      const fallen = this.members.find(({ process }) => process.exitCode);
      if (fallen) throw new Error(`a program of the deployment has failed:\n${fallen.log}`);
      return (await this.models()).includes('tiny') || undefined;
    });
    await until(async () => {
      const { status } = await this.post('completions', { prompt: 'ready?', max_tokens: 1 });
      return status === 200 || undefined;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
