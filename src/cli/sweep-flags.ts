/** Flags of a search. */
export interface SweepFlags {
  topology?: 'aggregated' | 'disaggregated' | 'compare';
  validate?: boolean;
  tableJson?: string;
  tableCsv?: string;
  tableParquet?: string;
  threads?: number;
  aicSystems?: string;
  force?: boolean;
  quiet?: boolean;
}
