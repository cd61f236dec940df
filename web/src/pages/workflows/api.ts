/** Airflow's /api/v2 and /ui, as the workflows' pages use them: what answers hold, lists whole, and lists that are
 * asked for again when a live channel says that something has changed. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, at, listen, send, useGet, type Answer, type Got, type Problem, type Query } from "../../kit";
import type { Schedule } from "./schedule";

export const V2 = "/api/v2";

export interface LightRun {
    run_id: string;
    state: string;
    run_type: string;
    run_after: string;
    logical_date: string | null;
    start_date: string | null;
    end_date: string | null;
    duration: number | null;
}
export interface Dag extends Schedule {
    dag_id: string;
    is_paused: boolean;
    is_stale: boolean;
    description: string | null;
    owners: string[];
    tags: { name: string }[];
    fileloc: string;
    has_import_errors: boolean;
    max_active_runs: number;
    max_active_tasks: number;
    next_dagrun_logical_date: string | null;
    next_dagrun_run_after: string | null;
    next_dagrun_data_interval_start: string | null;
    next_dagrun_data_interval_end: string | null;
    latest_dag_runs: LightRun[];
}
export interface ParamSchema {
    type?: string | string[];
    enum?: unknown[];
    examples?: unknown[];
    minimum?: number;
    maximum?: number;
    minLength?: number;
    maxLength?: number;
    format?: string;
    title?: string;
    description?: string;
    items?: { type?: string };
    const?: unknown;
}
export interface Param {
    value: unknown;
    schema: ParamSchema;
    description: string | null;
}
export interface DagDetails extends Dag {
    catchup: boolean;
    start_date: string | null;
    end_date: string | null;
    dag_run_timeout: string | null;
    doc_md: string | null;
    params: Record<string, Param>;
    default_args: Record<string, unknown>;
    max_consecutive_failed_dag_runs: number;
    last_parsed: string | null;
    latest_dag_version: { version_number: number; created_at: string } | null;
}
export interface Run {
    dag_run_id: string;
    dag_id: string;
    state: string;
    run_type: string;
    logical_date: string | null;
    data_interval_start: string | null;
    data_interval_end: string | null;
    run_after: string;
    queued_at: string | null;
    start_date: string | null;
    end_date: string | null;
    duration: number | null;
    last_scheduling_decision: string | null;
    triggered_by: string | null;
    triggering_user_name: string | null;
    conf: Record<string, unknown> | null;
    note: string | null;
    dag_versions: { version_number: number }[];
}
export interface Instance {
    id: string;
    task_id: string;
    dag_id: string;
    dag_run_id: string;
    map_index: number;
    state: string | null;
    start_date: string | null;
    end_date: string | null;
    duration: number | null;
    try_number: number;
    max_tries: number;
    hostname: string | null;
    pool: string;
    pool_slots: number;
    priority_weight: number;
    operator: string | null;
    queued_when: string | null;
    scheduled_when: string | null;
    pid: number | null;
    note: string | null;
    rendered_map_index: string | null;
    rendered_fields: Record<string, unknown>;
}
export interface Delta {
    days: number;
    seconds: number;
    microseconds: number;
}
export interface Task {
    task_id: string;
    task_display_name: string;
    operator_name: string;
    owner: string;
    trigger_rule: string;
    retries: number;
    retry_delay: Delta | null;
    retry_exponential_backoff: boolean;
    execution_timeout: Delta | null;
    pool: string;
    pool_slots: number;
    priority_weight: number;
    weight_rule: string;
    depends_on_past: boolean;
    wait_for_downstream: boolean;
    downstream_task_ids: string[];
    is_mapped: boolean;
    doc_md: string | null;
}
export interface Node {
    id: string;
    label: string;
    operator: string | null;
    tooltip: string | null;
    is_mapped: boolean | null;
    setup_teardown_type: string | null;
    children: Node[] | null;
}
export interface Structure {
    nodes: Node[];
    edges: { source_id: string; target_id: string }[];
}
export interface Cell {
    task_id: string;
    state: string | null;
    child_states: Record<string, number> | null;
    min_start_date: string | null;
    max_end_date: string | null;
    has_note: boolean;
}
export interface Xcom {
    key: string;
    value: unknown;
    timestamp: string;
    map_index: number;
    task_id: string;
}
export interface EventLog {
    event_log_id: number;
    when: string;
    dag_id: string | null;
    task_id: string | null;
    run_id: string | null;
    map_index: number | null;
    try_number: number | null;
    event: string;
    owner: string | null;
    extra?: string | null; // an admin sees it
}
export interface Backfill {
    id: number;
    dag_id: string;
    from_date: string;
    to_date: string;
    is_paused: boolean;
    reprocess_behavior: string;
    max_active_runs: number;
    created_at: string;
    completed_at: string | null;
}
export interface Connection {
    connection_id: string;
    conn_type: string;
    description: string | null;
    host: string | null;
    login: string | null;
    schema: string | null;
    port: number | null;
    password: string | null;
    extra: string | null;
}
export interface Variable {
    key: string;
    value: string;
    description: string | null;
}
export interface Pool {
    name: string;
    slots: number;
    occupied_slots: number;
    running_slots: number;
    queued_slots: number;
    scheduled_slots: number;
    deferred_slots: number;
    open_slots: number;
    description: string | null;
    include_deferred: boolean;
    quota?: { per_ms: number } | null; // of an API: pipeline.sql says it
}
export interface ImportError {
    import_error_id: number;
    timestamp: string;
    filename: string;
    stack_trace: string;
}
export interface AssetRow {
    id: number;
    name: string;
    uri: string;
    group: string;
    created_at: string;
    updated_at: string;
    scheduled_dags: { dag_id: string }[];
    producing_tasks: { dag_id: string; task_id: string }[];
}

export const dagAt = (id: string, ...more: (string | number)[]): string => V2 + at("dags", id, ...more);
export const runAt = (dag: string, run: string, ...more: (string | number)[]): string => dagAt(dag, "dagRuns", run, ...more);
/** A task instance; of a mapped one the index goes along as a part of the path where the API has it so. */
export const taskAt = (dag: string, run: string, task: string, index: number, ...more: (string | number)[]): string =>
    runAt(dag, run, "taskInstances", task, ...(index >= 0 ? [index] : []), ...more);

/** Live channels: a part that may hold anything is escaped, so that ":" tells parts apart. */
export const channel = (kind: string, ...parts: (string | number)[]): string => [kind, ...parts.map((p) => encodeURIComponent(p))].join(":");
/** What such a channel tells: a number that grows with each change, and of a dag which runs changed last. */
export interface Change {
    version: number;
    runs?: Record<string, number>;
}

const PAGE = 100; // the most that the API gives at once

/** A list whole, page by page. */
export async function wholeList<T>(to: string, name: string, q: Query = {}, most = 2000, signal?: AbortSignal): Promise<Answer<{ rows: T[]; total: number }>> {
    const rows: T[] = [];
    for (;;) {
        const got = await api.get<Record<string, unknown>>(to, { ...q, limit: Math.min(PAGE, most - rows.length), offset: rows.length }, signal);
        if (!got.ok) return got;
        const page = (got.value[name] as T[]) ?? [];
        const total = Number(got.value["total_entries"]) || 0;
        rows.push(...page);
        if (!page.length || rows.length >= total || rows.length >= most) return { ok: true, value: { rows, total } };
    }
}

/** Calls `again` when the channel tells of a change; changes that come while it is at work are one more call. */
export function useChanges(of: string | null, again: () => void): void {
    const act = useRef(again);
    act.current = again;
    useEffect(() => (of === null ? undefined : listen(of, () => act.current())), [of]);
}

/** A list whole for a component, asked for again when the channel says so; the old rows stay meanwhile. */
export function useList<T>(to: string | null, name: string, q: Query = {}, watch: string | null = null, most = 2000): Got<{ rows: T[]; total: number }> {
    const key = to === null ? null : to + JSON.stringify(q) + most;
    const [state, setState] = useState<{ key: string | null; value?: { rows: T[]; total: number }; problem?: Problem; busy: boolean }>({ key, busy: key !== null });
    const work = useRef<{ stop: AbortController; more: boolean } | null>(null);
    const ask = () => {
        if (to === null) return;
        if (work.current) return void (work.current.more = true);
        const mine = { stop: new AbortController(), more: false };
        work.current = mine;
        void wholeList<T>(to, name, q, most, mine.stop.signal).then((a) => {
            if (work.current !== mine) return;
            work.current = null;
            setState(a.ok ? { key, value: a.value, busy: false } : { key, problem: a.problem, busy: false });
            if (mine.more) latest.current();
        });
    };
    const latest = useRef(ask);
    latest.current = ask;
    useEffect(() => {
        latest.current();
        return () => {
            work.current?.stop.abort();
            work.current = null;
        };
    }, [key]);
    useChanges(watch, () => latest.current());
    const reload = useRef(() => latest.current()).current;
    return state.key === key ? { ...state, reload } : { busy: key !== null, reload };
}

/** One thing, asked for again when the channel says so. */
export function useOne<T>(to: string | null, watch: string | null = null, q?: Query): Got<T> {
    const got = useGet<T>(to, q);
    const more = useRef(false);
    const busy = useRef(got.busy);
    busy.current = got.busy;
    useChanges(watch, () => {
        if (busy.current) more.current = true;
        else got.reload();
    });
    useEffect(() => {
        if (got.busy || !more.current) return;
        more.current = false;
        got.reload();
    }, [got.busy]);
    return got;
}

/** The states of several runs' tasks, a line a run. */
export async function summaries(dag: string, runs: string[], signal?: AbortSignal): Promise<Answer<Map<string, Map<string, Cell>>>> {
    const q = runs.map((r) => "run_ids=" + encodeURIComponent(r)).join("&");
    const got = await send("GET", `/ui${at("grid", "ti_summaries", dag)}?${q}`, { ...(signal && { signal }), headers: { Accept: "application/x-ndjson" } });
    if (!got.ok) return got;
    const text = await got.value.text().catch(() => "");
    const out = new Map<string, Map<string, Cell>>();
    for (const line of text.split("\n").filter(Boolean)) {
        const run = JSON.parse(line) as { run_id: string; task_instances: Cell[] };
        out.set(run.run_id, new Map(run.task_instances.map((c) => [c.task_id, c])));
    }
    return { ok: true, value: out };
}
