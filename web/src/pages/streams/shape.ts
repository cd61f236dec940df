/** What the API tells of streams: schemas_streams.def, in this page's words. */
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
export interface Span {
    epochs: number;
    p50_us: number;
    p99_us: number;
    max_us: number;
}
export interface Stage {
    name: string;
    kind: "source" | "stream";
    from: string;
    into: string;
    sink: "topic" | "table" | "nothing";
    state: string;
    trouble: string;
    note: string;
    form: string;
    building: boolean;
    built_percent?: number;
    left_s?: number;
    lag: number;
    rate: number;
    epochs: number;
    last_epoch: number;
    since: string | null;
    last_commit: string | null;
    watermark: string | null;
    late_rows: number;
    state_rows: number;
    state_bytes: number;
    lanes: number;
    feeders: number;
    cpu_ms: number;
    memory_bytes: number;
    ledger: Ledger;
    balanced: boolean;
    live: Span;
    catchup: Span;
}
export interface PlanNode {
    id: number;
    kind: string;
    title: string;
    about: string;
    rows_in: number;
    rows_out: number;
    late: number;
    stateful: boolean;
    state_rows: number;
    state_bytes: number;
    spent_ms: number;
}
export interface PlanGraph {
    nodes: PlanNode[];
    edges: [number, number][];
}
export interface StreamOne {
    stage: Stage;
    graph: PlanGraph | null;
    sql: string | null;
    plan: string | null;
    topics: string[];
    table: string[];
}
/** Spark's StreamingQueryProgress, as much of it as is drawn. */
export interface Progress {
    timestamp: string;
    batchId: number;
    batchDuration: number;
    numInputRows: number;
    inputRowsPerSecond: number;
    processedRowsPerSecond: number;
    durationMs: { addBatch: number; commitOffsets: number; triggerExecution: number };
    eventTime: { watermark?: string; max?: string };
    stateOperators: { numRowsTotal: number; memoryUsedBytes: number }[];
    sink: { numOutputRows: number };
}
export interface StreamLive {
    stage: Stage;
    graph: PlanGraph | null;
    progress: Progress | null;
}
export interface Cost {
    what: string;
    forgets: boolean;
    takes_table: boolean;
    into: string;
    ledger: Ledger;
    state_rows: number;
    letters: number;
    more_letters: boolean;
    again: number;
    missing: number;
    table_rows: number;
    rate: number;
    text: string;
}
export interface DeadGroup {
    code: string;
    column: string | null;
    expression: string | null;
    reason: string;
    letters: number;
    records: number;
    mended: number;
    first: string | null;
    last: string | null;
}
export interface DeadStage {
    stage: string;
    declared: boolean;
    dead: number;
    letters: number;
    more: boolean;
    mended: number;
    bytes: number;
    groups: DeadGroup[];
    others: number;
}
export interface Letter {
    place: string;
    stage: string;
    topic: string | null;
    partition: number;
    offset: number;
    time: string | null;
    written: string | null;
    epoch: number;
    records: number;
    code: string;
    reason: string;
    column: string | null;
    expression: string | null;
    key: string | null;
    record: string;
    record_base64: string | null;
    mended: string | null;
    bytes: number;
    cut: boolean;
}
export interface Outcome {
    replayed: number;
    mended: number;
    again: number;
    left: number;
}
export interface Upgrade {
    errors: number;
    warnings: number;
    notes: number;
    statements: number;
    findings: { code: string; severity: string; where: string; text: string; fix: string }[];
    streams: { name: string; change: string; says: string; why: string; instead: string; now: string | null; was: string | null }[];
    plan: string;
}

/** What is wrong with a stage, in a word; null: nothing. */
export function wrongWith(s: Stage): string | null {
    if (s.state === "failed") return "failed";
    if (!s.balanced) return "ledger off";
    if (s.state === "retrying") return "retrying";
    return s.trouble ? "trouble" : null;
}
