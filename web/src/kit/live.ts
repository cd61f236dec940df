/** One server-sent stream a tab, shared by all: components name channels, and get their last value as a signal.
 * It is opened anew when the set of channels changes, closed while the tab is not seen, and comes back by itself. */
import { effect, signal, type Signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { BASE, loadSession, session, type Got, type Problem } from "./api";

export type Link = { state: "idle" | "opening" | "open" | "lost"; since: number; retry: number };

/** How the stream is, for the shell's sign and for the grey of live numbers. */
export const link = signal<Link>({ state: "idle", since: Date.now(), retry: 0 });

type Listener = (data: unknown) => void;
const wanted = new Map<string, Set<Listener>>();
const values = new Map<string, Signal<unknown>>();
let stream: EventSource | null = null;
let open: string[] = []; // the channels of the stream that is open or opening
let timer: ReturnType<typeof setTimeout> | undefined;
let tries = 0;
let steady: ReturnType<typeof setTimeout> | undefined;
const last = new Map<string, unknown>(); // of the channels of the present stream
const STEADY_MS = 3000; // a stream that lasts as long is a good one: the next loss is tried again at once

function become(state: Link["state"], retry = 0): void {
    const was = link.peek();
    if (was.state !== state || was.retry !== retry) link.value = { state, retry, since: was.state === state ? was.since : Date.now() };
}

function close(): void {
    stream?.close();
    stream = null;
    open = [];
    last.clear();
    clearTimeout(steady);
}

function told(channel: string, e: MessageEvent<string>): void {
    let data: unknown;
    try {
        data = JSON.parse(e.data);
    } catch {
        return;
    }
    last.set(channel, data);
    for (const listener of [...(wanted.get(channel) ?? [])]) listener(data);
}

/** Opens a stream for the present set of channels; the old one goes on until the new one talks. */
function connect(): void {
    timer = undefined;
    const set = [...wanted.keys()].sort();
    if (set.length === 0 || document.hidden || !session.peek()) {
        close();
        return become("idle");
    }
    if (stream && stream.readyState !== EventSource.CLOSED && set.join("\n") === open.join("\n")) return;
    const before = stream;
    const next = new EventSource(`${BASE}/live?` + set.map((c) => "c=" + encodeURIComponent(c)).join("&"));
    stream = next;
    open = set;
    for (const channel of last.keys()) if (!set.includes(channel)) last.delete(channel);
    if (link.peek().state !== "lost" && link.peek().state !== "open") become("opening");
    for (const channel of set) next.addEventListener(channel, (e) => stream === next && told(channel, e as MessageEvent<string>));
    next.onopen = () => {
        before?.close();
        if (stream !== next) return;
        clearTimeout(steady);
        steady = setTimeout(() => (tries = 0), STEADY_MS);
        become("open");
    };
    next.onerror = () => {
        before?.close();
        if (stream === next) lost();
        else next.close();
    };
}

/** The first time it is tried again at once, and nothing is said; then it is told, and tried ever more seldom. */
function lost(): void {
    close();
    tries += 1;
    const wait = tries === 1 ? 50 : Math.min(10_000, 500 * 2 ** Math.min(tries - 2, 5));
    if (tries > 1) become("lost", Date.now() + wait);
    clearTimeout(timer);
    timer = setTimeout(async () => {
        await loadSession().catch(() => undefined); // a server that came back may not know us any more
        connect();
    }, wait);
}

function soon(): void {
    if (link.peek().state === "lost" && timer) return;
    clearTimeout(timer);
    timer = setTimeout(connect, stream ? 20 : 0); // of a page's first words none is waited for
}

/** Hears a channel until the function that is returned is called. */
export function listen<T>(channel: string, listener: (data: T) => void): () => void {
    const set = wanted.get(channel) ?? new Set<Listener>();
    if (set.size === 0) wanted.set(channel, set);
    set.add(listener as Listener);
    soon();
    return () => {
        set.delete(listener as Listener);
        if (set.size === 0 && wanted.get(channel) === set) wanted.delete(channel);
        soon();
    };
}

const nothing = signal<unknown>(undefined);
const users = new Map<string, number>();

/** The last value of a channel, while a component is on screen. `null`: none. */
export function useLive<T>(channel: string | null): Signal<T | undefined> {
    let value = channel === null ? nothing : values.get(channel);
    if (!value) values.set(channel!, (value = signal<unknown>(undefined)));
    const mine = value;
    useLayoutEffect(() => { // before the paint: what it shows is on its way meanwhile
        if (channel === null) return undefined;
        users.set(channel, (users.get(channel) ?? 0) + 1);
        const stop = listen<unknown>(channel, (data) => (mine.value = data));
        if (mine.peek() === undefined && last.has(channel)) mine.value = last.get(channel); // came before we did
        return () => {
            stop();
            const left = (users.get(channel) ?? 1) - 1;
            if (left > 0) return users.set(channel, left), undefined;
            users.delete(channel);
            values.delete(channel);
            return undefined;
        };
    }, [channel]);
    return mine as Signal<T | undefined>;
}

/** A channel for <Await>: its value, or why the server can not tell it (then `{"error": …}` comes instead). */
export function useChannel<T>(channel: string | null): Got<T> {
    const value = useLive<unknown>(channel).value as { error?: Partial<Problem> } | undefined;
    const e = value?.error;
    if (e && typeof e === "object" && typeof e.code === "string" && typeof e.what === "string")
        return { problem: { status: e.role ? 403 : 500, code: e.code, what: e.what, ...e }, busy: false, reload: retryNow };
    return { ...(value !== undefined && { value: value as T }), busy: value === undefined, reload: retryNow };
}

/** Tries at once, for the button beside "not connected". */
export function retryNow(): void {
    clearTimeout(timer);
    timer = undefined;
    void loadSession().catch(() => undefined).then(connect);
}

export function startLive(): void {
    document.addEventListener("visibilitychange", soon);
    effect(() => {
        if (session.value) soon();
        else close();
    });
    effect(() => {
        document.documentElement.toggleAttribute("data-lost", link.value.state === "lost");
    });
}
