/** What GET /overview and the channel of that name tell. */
export interface Part {
    id: string; // "stream:load_users"
    kind: "source" | "topic" | "stream" | "table" | "dag";
    name: string;
    rate: number | null;
    lag: number | null;
    dead: number | null;
    state: string; // "" for what has none
    trouble: string | null;
}
export interface Ledger {
    in: number;
    applied: number;
    filtered: number;
    deduplicated: number;
    late: number;
    dead: number;
    expired: number;
    held: number;
    rows_out: number;
}
export interface Picture {
    parts: Part[];
    edges: [string, string][];
    ledger: Ledger;
    balanced: boolean;
    healthy: boolean;
}
