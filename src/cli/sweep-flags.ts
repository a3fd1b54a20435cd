/** Flags of a search. */
export interface SweepFlags {
  topology?: 'aggregated' | 'disaggregated' | 'compare';
  aiconfigurator?: string;
  validate?: boolean;
  tableJson?: string;
  tableCsv?: string;
  tableParquet?: string;
  /** Folder for all that comes out. */
  output?: string;
  journal?: string;
  resume?: boolean;
  /** Address of the server whose workers run simulations. */
  queue?: string;
  threads?: number;
  aicSystems?: string;
  force?: boolean;
  quiet?: boolean;
}
