/** Asks the server: JSON there and back, the CSRF token with what changes something, a failure as a value. */
import { signal } from "@preact/signals";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import { href, type Query } from "./router";

/** What went wrong, in the words of the command line. */
export interface Problem {
    status: number; // 0: no answer came
    code: string;
    what: string;
    where?: string;
    why?: string;
    hint?: string;
    role?: string; // the role that is needed, when it is one that is missing
}
export type Answer<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export interface Session {
    name: string;
    role: string;
    csrf: string | null;
    version: string;
    well_known: boolean; // the password is still the one of the tutorials
    project: string;
    until: string | null;
}

/** Who is logged in: null, nobody; undefined, not known yet. */
export const session = signal<Session | null | undefined>(undefined);

export const BASE = "/api/console";
const SAFE = new Set(["GET", "HEAD"]);

interface Ask {
    query?: Query;
    body?: unknown;
    signal?: AbortSignal;
    headers?: Record<string, string>;
}

/** The problem that a response tells of; Airflow's and the console's forms. */
async function problemOf(r: Response): Promise<Problem> {
    const text = await r.text().catch(() => "");
    const none: Problem = { status: r.status, code: `HTTP ${r.status}`, what: text.length < 300 && text ? text : r.statusText || `the server answered ${r.status}` };
    let body: unknown;
    try {
        body = JSON.parse(text);
    } catch {
        return none;
    }
    const b = body as { error?: Partial<Problem>; detail?: unknown; title?: string };
    if (b && typeof b.error === "object" && b.error) return { ...none, ...b.error, status: r.status };
    if (b && (b.detail || b.title)) {
        const detail = typeof b.detail === "string" ? b.detail : JSON.stringify(b.detail);
        return { ...none, what: detail && detail !== "undefined" ? detail : String(b.title) };
    }
    return none;
}

/** Sends one request; the path is whole ("/api/v2/dags") or the console's own ("topics"). */
export async function send(method: string, to: string, ask: Ask = {}): Promise<Answer<Response>> {
    const headers: Record<string, string> = { Accept: "application/json", ...ask.headers };
    const init: RequestInit = { method, headers, credentials: "same-origin" };
    if (ask.signal) init.signal = ask.signal;
    const csrf = session.peek()?.csrf;
    if (!SAFE.has(method) && csrf) headers["X-CSRF-Token"] = csrf;
    if (ask.body instanceof Blob || ask.body instanceof FormData) init.body = ask.body;
    else if (ask.body !== undefined) {
        headers["Content-Type"] ??= "application/json";
        init.body = typeof ask.body === "string" ? ask.body : JSON.stringify(ask.body);
    }
    let r: Response;
    try {
        r = await fetch(href(url(to), ask.query), init);
    } catch (e) {
        if (ask.signal?.aborted) return { ok: false, problem: { status: 0, code: "aborted", what: "the request was taken back" } };
        return { ok: false, problem: { status: 0, code: "ERR_UNREACHABLE", what: "The server does not answer.", why: (e as Error).message, hint: "Is it running? sluice status" } };
    }
    if (r.ok) return { ok: true, value: r };
    if (r.status === 401 && !to.endsWith("login")) session.value = null;
    return { ok: false, problem: await problemOf(r) };
}

export function url(to: string): string {
    return to.startsWith("/") ? to : `${BASE}/${to}`;
}

async function json<T>(method: string, to: string, ask: Ask): Promise<Answer<T>> {
    const got = await send(method, to, ask);
    if (!got.ok) return got;
    if (got.value.status === 204) return { ok: true, value: undefined as T };
    try {
        return { ok: true, value: (await got.value.json()) as T };
    } catch (e) {
        if (ask.signal?.aborted) return { ok: false, problem: { status: 0, code: "aborted", what: "the request was taken back" } };
        return { ok: false, problem: { status: got.value.status, code: "ERR_ANSWER", what: "The answer is not JSON.", why: (e as Error).message } };
    }
}

export const api = {
    get: <T>(to: string, q?: Query, signal?: AbortSignal) => json<T>("GET", to, { ...(q && { query: q }), ...(signal && { signal }) }),
    post: <T = unknown>(to: string, body?: unknown, ask: Ask = {}) => json<T>("POST", to, { ...ask, body: body ?? {} }),
    put: <T = unknown>(to: string, body?: unknown, ask: Ask = {}) => json<T>("PUT", to, { ...ask, body: body ?? {} }),
    patch: <T = unknown>(to: string, body?: unknown, ask: Ask = {}) => json<T>("PATCH", to, { ...ask, body: body ?? {} }),
    delete: <T = unknown>(to: string, body?: unknown, ask: Ask = {}) => json<T>("DELETE", to, { ...ask, ...(body !== undefined && { body }) }),
};

/** What a GET told, and is telling: the old value stays on screen while a new one is asked for. */
export interface Got<T> {
    value?: T;
    problem?: Problem;
    busy: boolean;
    reload: () => void;
}

/** GET for a component: asked again when path or query change; `null` asks nothing. */
export function useGet<T>(to: string | null, q?: Query): Got<T> {
    const key = to === null ? null : href(url(to), q);
    const [state, setState] = useState<{ key: string | null; value?: T; problem?: Problem; busy: boolean }>({ key, busy: key !== null });
    const [turn, setTurn] = useState(0);
    const last = useRef(key);
    useLayoutEffect(() => { // before the paint: what it shows is on its way meanwhile
        if (key === null) return setState({ key, busy: false });
        const stop = new AbortController();
        const keep = last.current === key;
        last.current = key;
        setState((s) => (keep ? (s.busy ? s : { ...s, busy: true }) : { key, busy: true }));
        void api.get<T>(key, undefined, stop.signal).then((a) => {
            if (stop.signal.aborted) return;
            setState(a.ok ? { key, value: a.value, busy: false } : { key, problem: a.problem, busy: false });
        });
        return () => stop.abort();
    }, [key, turn]);
    const reload = useCallback(() => setTurn((t) => t + 1), []);
    return state.key === key ? { ...state, reload } : { busy: key !== null, reload };
}

const RANK: Record<string, number> = { viewer: 1, user: 2, op: 3, admin: 4 };

/** Whether who is logged in may do what needs this role. The server decides; this only spares a vain click. */
export function may(role: string | undefined): boolean {
    const mine = session.value?.role ?? "";
    return !role || (RANK[mine.toLowerCase()] ?? 0) >= (RANK[role.toLowerCase()] ?? 9);
}

export async function loadSession(): Promise<void> {
    const got = await api.get<Session>("session");
    if (got.ok) session.value = got.value;
    else if (got.problem.status === 401 || got.problem.status === 403) session.value = null;
    else if (session.peek() === undefined) {
        setTimeout(() => void loadSession().catch(() => undefined), 1000);
        throw new Error(got.problem.what);
    }
}
