/** Statements: run once, or live; and what an editor can complete of them. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, send, type Answer, type Problem } from "./api";
import type { Completion } from "./editor";
import { listen } from "./live";

export interface SqlColumn {
    name: string;
    type: string;
}
export interface SqlResult {
    columns: SqlColumn[];
    rows: unknown[][];
    more: boolean;
}
export interface SqlAnswer {
    results: SqlResult[];
    notes: string[];
    keyspace: string;
    ms: number;
}
interface Names {
    words: string[];
    functions: { name: string; signature: string; about: string }[];
    keyspaces: string[];
    relations: { name: string; kind: string; columns: SqlColumn[] }[];
}

export const isLive = (text: string): boolean => /^\s*(--[^\n]*\n\s*)*watch\b/i.test(text) || /\bemit\s+changes\s*;?\s*$/i.test(text);

export function runSql(text: string, limit = 1000, signal?: AbortSignal): Promise<Answer<SqlAnswer>> {
    return api.post<SqlAnswer>("sql", { text, limit }, signal ? { signal } : {});
}

/** Lines of a live statement until `signal` ends it; answers why it ended, when nobody asked for it. */
export async function watchSql(text: string, each: (row: Record<string, unknown>) => void, signal: AbortSignal): Promise<Problem | undefined> {
    const got = await send("POST", "sql/watch", { body: { text }, signal });
    if (!got.ok) return signal.aborted ? undefined : got.problem;
    const reader = got.value.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            const lines = (rest + value).split("\n");
            rest = lines.pop() ?? "";
            for (const line of lines.filter(Boolean)) {
                const row = JSON.parse(line) as Record<string, unknown> & { error?: Problem };
                if (row.error && typeof row.error === "object" && "code" in row.error) return { ...row.error, status: 200 };
                each(row);
            }
        }
    } catch (e) {
        if (!signal.aborted) return { status: 0, code: "ERR_UNREACHABLE", what: "The live statement was cut off.", why: (e as Error).message };
    }
    return signal.aborted ? undefined : { status: 0, code: "ERR_STOPPED", what: "The live statement has ended." };
}

const AGAIN_MS = 2000;

/** Calls `again` when something in the pipeline has changed, at most every two seconds, and not while nobody looks. */
export function useAgain(on: boolean, again: () => void): void {
    const run = useRef(again);
    run.current = again;
    useEffect(() => {
        if (!on) return undefined;
        let timer = 0;
        let last = Date.now();
        const end = listen("overview", () => {
            if (timer || document.hidden) return;
            timer = window.setTimeout(() => {
                timer = 0;
                last = Date.now();
                run.current();
            }, Math.max(0, AGAIN_MS - (Date.now() - last)));
        });
        return () => {
            end();
            clearTimeout(timer);
        };
    }, [on]);
}

let names: Promise<Names | undefined> | undefined;
let asked = 0;

/** Names are asked for when they are first needed, and again after a minute: schemas change. */
function known(): Promise<Names | undefined> {
    if (!names || Date.now() - asked > 60_000) {
        asked = Date.now();
        names = api.get<Names>("sql/names").then((a) => (a.ok ? a.value : undefined));
    }
    return names;
}

/** Relations after FROM, INTO, JOIN …; else columns of the relations that are named, functions and words. */
export async function completeSql(text: string, at: number): Promise<{ from: number; options: Completion[] } | null> {
    const before = text.slice(0, at);
    const word = /[\w.]*$/.exec(before)![0];
    const n = await known();
    if (!n || (!word && !/\s$/.test(before))) return null;
    const from = at - word.length;
    const relations = n.relations.map((r) => ({ label: r.name, kind: r.kind, detail: r.kind }));
    if (/\b(from|into|join|update|table|describe|truncate)\s+[\w.]*$/i.test(before)) return { from, options: [...relations, ...n.keyspaces.map((k) => ({ label: k + ".", kind: "keyspace", detail: "keyspace" }))] };
    const columns = n.relations.filter((r) => text.includes(r.name)).flatMap((r) => r.columns.map((c) => ({ label: c.name, kind: "column", detail: c.type })));
    const seen = new Set<string>();
    const functions = n.functions.filter((f) => !seen.has(f.name) && seen.add(f.name)).map((f) => ({ label: f.name, kind: "function", detail: f.about, insert: f.name + "(" }));
    return { from, options: [...columns, ...functions, ...relations, ...n.words.map((w) => ({ label: w, kind: "keyword" }))] };
}

export interface Ran {
    busy: boolean;
    answer?: SqlAnswer;
    problem?: Problem;
    at?: number;
}

/** One text, run on demand; an answer that was overtaken is dropped. */
export function useSql(text: string, limit?: number): Ran & { run: () => Promise<Ran>; stop: () => void } {
    const [state, setState] = useState<Ran>({ busy: false });
    const turn = useRef<AbortController>();
    useEffect(() => () => turn.current?.abort(), []);
    const run = async (): Promise<Ran> => {
        turn.current?.abort();
        const mine = (turn.current = new AbortController());
        setState((s) => ({ ...s, busy: true }));
        const got = await runSql(text, limit, mine.signal);
        if (mine.signal.aborted) return { busy: false };
        const now: Ran = got.ok ? { busy: false, answer: got.value, at: Date.now() } : { busy: false, problem: got.problem, at: Date.now() };
        setState(now);
        return now;
    };
    const stop = () => {
        turn.current?.abort();
        setState((s) => ({ ...s, busy: false }));
    };
    return { ...state, run, stop };
}

/** A result as CSV (RFC 4180) or as JSON lines. */
export function asCsv(r: SqlResult): string {
    const cell = (v: unknown): string => {
        const text = v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v);
        return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [r.columns.map((c) => c.name), ...r.rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

export function asJson(r: SqlResult): string {
    return r.rows.map((row) => JSON.stringify(Object.fromEntries(r.columns.map((c, i) => [c.name, row[i]])))).join("\n") + "\n";
}
