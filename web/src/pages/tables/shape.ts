/** What the API tells of tables: schemas_tables.def, in this page's words. */
export interface Size {
    keyspace: string;
    name: string;
    kind: "table" | "view" | "system";
    rows: number | null;
    exact: boolean;
    bytes: number | null;
    index_bytes: number | null;
    columns: number;
    indexes: string[];
    writers: string[];
}
export interface Tables {
    keyspaces: string[];
    tables: Size[];
}
export interface TableColumn {
    name: string;
    type: string;
    role: "partition" | "clustering" | "static" | "regular";
    descending: boolean;
}
export interface TableOne {
    size: Size;
    columns: TableColumn[];
    options: { name: string; value: string }[];
    indexes: { name: string; target: string; ready: boolean }[];
    ttl_s: number;
    describe: string;
    held: string | null;
}
export type Cell = string | null;
export interface Rows {
    columns: TableColumn[];
    rows: Cell[][];
    cut: boolean;
    next: string | null;
    ms: number;
    notes: string[];
}
export interface WholeRow {
    cells: { column: TableColumn; value: string | null; written: string | null }[];
}

export const isKey = (c: TableColumn) => c.role === "partition" || c.role === "clustering";
export const isNumber = (c: TableColumn) => /^(tinyint|smallint|int|bigint|varint|float|double|decimal|counter)$/.test(c.type);

/** A name as CQL takes it. */
export function quoted(name: string): string {
    return /^[a-z][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
