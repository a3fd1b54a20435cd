import { existsSync, readFileSync } from 'node:fs';
import { Etcd3, type IOptions, type Lease } from 'etcd3';
import { InputError } from '../../../config/input-error.js';
import type { Environment } from '../environment.js';
import { RecordSet } from './record-set.js';
import { type Bucket, type DiscoveryRecord, encodeRecord, placeOf } from './records.js';
import { DiscoveryError, isBelow, type RecordListener, type Registry, type Watch } from './registry.js';

const DEFAULT_TTL_SECONDS = 10;
const CONNECT_MS = 10_000;

/** Where etcd is, by the variables that Dynamo reads. */
function optionsOf(environment: Environment): IOptions {
  const hosts = (environment.ETCD_ENDPOINTS || 'http://localhost:2379').split(',').map((host) => host.trim());
  const { ETCD_AUTH_USERNAME: username, ETCD_AUTH_PASSWORD: password, ETCD_AUTH_CA: authority } = environment;
  const { ETCD_AUTH_CLIENT_CERT: certificate, ETCD_AUTH_CLIENT_KEY: key } = environment;
  const options: IOptions = { hosts };
  if (username && password) options.auth = { username, password };
  if (authority) {
    options.credentials = { rootCertificate: fileAt(authority, 'ETCD_AUTH_CA') };
    if (certificate && key) {
      options.credentials.certChain = fileAt(certificate, 'ETCD_AUTH_CLIENT_CERT');
      options.credentials.privateKey = fileAt(key, 'ETCD_AUTH_CLIENT_KEY');
    }
  }
  return options;
}

function fileAt(path: string, variable: string): Buffer {
  if (!existsSync(path)) throw new InputError(`${variable}: ${path} does not exist`);
  return readFileSync(path);
}

/** Records in etcd under one lease, which goes with the member: the number of the lease is that of the member. */
export class EtcdRegistry implements Registry {
  private constructor(
    private readonly client: Etcd3,
    private readonly lease: Lease,
    readonly instanceId: bigint,
  ) {}

  /** @throws {InputError} when etcd cannot be reached */
  static async open(environment: Environment): Promise<EtcdRegistry> {
    const options = optionsOf(environment);
    const client = new Etcd3({ ...options, dialTimeout: CONNECT_MS });
    const ttl = Number(environment.ETCD_LEASE_TTL);
    const lease = client.lease(Number.isInteger(ttl) && ttl > 0 ? ttl : DEFAULT_TTL_SECONDS);
    try {
      return new EtcdRegistry(client, lease, BigInt(await lease.grant()));
    } catch (error) {
      client.close();
      throw new InputError(
        `ETCD_ENDPOINTS: ${options.hosts} cannot be reached (${(error as Error).message})`,
      );
    }
  }

  async register(record: DiscoveryRecord): Promise<void> {
    const { bucket, key } = placeOf(record);
    const path = `${bucket}/${key}`;
    const put = this.client
      .put(path)
      .value(encodeRecord(record))
      .lease(await this.lease.grant());
    const { succeeded } = await this.client.if(path, 'Create', '==', 0).then(put).commit();
    if (!succeeded) throw new DiscoveryError(`${path} is registered already`);
  }

  async unregister(record: DiscoveryRecord): Promise<void> {
    const { bucket, key } = placeOf(record);
    await this.client.delete().key(`${bucket}/${key}`);
  }

  async watch(bucket: Bucket, prefix: string, listener: RecordListener): Promise<Watch> {
    const records = new RecordSet(listener);
    const root = `${bucket}/`;
    const keyOf = (path: Buffer): string => path.toString().slice(root.length);
    const watcher = await this.client.watch().prefix(root).create();
    watcher.on('put', ({ key, value }) => {
      if (isBelow(keyOf(key), prefix)) records.add(keyOf(key), value.toString());
    });
    watcher.on('delete', ({ key }) => records.remove(keyOf(key)));
    const present = await this.client.getAll().prefix(root).strings();
    for (const [path, text] of Object.entries(present)) {
      const key = path.slice(root.length);
      if (isBelow(key, prefix)) records.add(key, text);
    }
    return { close: () => watcher.cancel() };
  }

  async close(): Promise<void> {
    await this.lease.revoke().catch(() => {});
    this.client.close();
  }
}
