import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const PROGRAM = fileURLToPath(new URL('../../bin/dynosim.js', import.meta.url));

export interface CliResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs the built command line as a user would. */
export function runCli(args: readonly string[], cwd: string): Promise<CliResult> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { cwd, maxBuffer: 1 << 26 }, (failure, stdout, stderr) => {
      resolve({ exitCode: failure ? Number(failure.code ?? 1) : 0, stdout, stderr });
    });
  });
}
