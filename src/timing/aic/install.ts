import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { AicError } from './aic-error.js';
import { listModels } from './model-files.js';
import { cacheFolder } from './store.js';
import { listSystems } from './system.js';

const PACKAGE = 'aiconfigurator-core';
/** Parts of the package that are data. */
const DATA = /^aiconfigurator_core\/((?:systems|model_configs)\/.+[^/])$/;
const PARQUET_MAGIC = 'PAR1';

/**
 * Downloads the package with pip, unpacks its data into the cache folder and checks it.
 * @returns one line that says what is there now
 * @throws {AicError} when pip fails, the package holds no tables, or something is installed already
 */
export async function installTables(release: string, replaces: boolean): Promise<string> {
  const target = join(cacheFolder(), 'aiconfigurator');
  if (existsSync(target) && !replaces)
    throw new AicError(`tables are installed already in ${target}; use --force to replace them`);
  mkdirSync(cacheFolder(), { recursive: true });
  const scratch = mkdtempSync(join(cacheFolder(), 'install-'));
  try {
    const wheel = await download(release, scratch);
    const unpacked = join(scratch, 'aiconfigurator');
    const tables = unpack(wheel, unpacked);
    const systems = listSystems(join(unpacked, 'systems'));
    const models = listModels(join(unpacked, 'systems'));
    if (tables === 0 || systems.length === 0) throw new AicError(`${PACKAGE} ${release} holds no tables`);
    rmSync(target, { recursive: true, force: true });
    renameSync(unpacked, target);
    return `${PACKAGE} ${release}: ${tables} tables of ${systems.length} systems (${systems.join(', ')}) and ${models.length} models in ${target}`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function download(release: string, folder: string): Promise<string> {
  const args = [
    '-m',
    'pip',
    'download',
    `${PACKAGE}==${release}`,
    '--no-deps',
    '--only-binary',
    ':all:',
    '-q',
    '-d',
    folder,
  ];
  try {
    await promisify(execFile)('python3', args);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const reason =
      (stderr ?? String(error))
        .trim()
        .split('\n')
        .find((line) => line.includes('ERROR')) ?? 'pip failed';
    throw new AicError(`cannot download ${PACKAGE} ${release} with pip: ${reason}`);
  }
  return join(folder, readdirSync(folder).find((file) => file.endsWith('.whl'))!);
}

/** Unpacks the data of a wheel and checks that tables are whole. @returns how many tables there are */
function unpack(wheel: string, folder: string): number {
  const files = unzipSync(readFileSync(wheel), { filter: ({ name }) => DATA.test(name) });
  let tables = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(folder, DATA.exec(name)![1]);
    if (path.endsWith('.parquet')) {
      const ends = [bytes.subarray(0, 4), bytes.subarray(-4)].map((part) =>
        Buffer.from(part).toString('latin1'),
      );
      if (ends.some((end) => end !== PARQUET_MAGIC))
        throw new AicError(`${name} is not a whole Parquet file`);
      tables++;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return tables;
}
