/** Flags of a watch. */
export interface WatchFlags {
  traceDir: string;
  spec: string;
  state: string;
  shards: number;
  margin: number;
  interval: number;
  current?: string;
  follow?: boolean;
  once?: boolean;
  threads?: number;
  aicSystems?: string;
  quiet?: boolean;
}
