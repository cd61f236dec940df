/** What a place says while it has nothing to show: empty, loading, failed, forbidden. And the signs of states. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Got, Problem } from "./api";
import { Command } from "./command";

/** What would be here, and the one action that fills it. */
export function Empty({ title, children, action }: { title: string; children?: ComponentChildren; action?: ComponentChildren }) {
    return (
        <div class="state">
            <p class="state-title">{title}</p>
            {children && <div class="state-text">{children}</div>}
            {action && <div class="state-act">{action}</div>}
        </div>
    );
}

/** Keeps the layout while it waits; after 300 ms it says for what. */
export function Loading({ what = "the server's answer", lines = 6 }: { what?: string; lines?: number }) {
    const [late, setLate] = useState(false);
    useEffect(() => {
        const t = setTimeout(() => setLate(true), 300);
        return () => clearTimeout(t);
    }, []);
    return (
        <div class="skeleton" role="status">
            <span class={late ? "skeleton-text" : "hidden"}>Waiting for {what}</span>
            {Array.from({ length: lines }, (_, i) => (
                <span class="skeleton-line" key={i} data-n={i % 4} />
            ))}
        </div>
    );
}

/** What happened and what to do, as the command line says it. */
export function Failed({ problem, retry }: { problem: Problem; retry?: (() => void) | undefined }) {
    if (problem.status === 403 && problem.code !== "ERR_POLICY") return <Forbidden problem={problem} />;
    const command = problem.hint?.match(/(?:^|[:\s`])(sluice [a-z][^`.;]*)/)?.[1]?.trim();
    return (
        <div class="state state-failed" role="alert">
            <p class="state-title"><State of="failed" word={problem.status === 404 ? "not found" : "failed"} /> {problem.what}</p>
            {problem.where && <p class="state-text">{problem.where}</p>}
            {problem.why && <p class="state-text">{problem.why}</p>}
            {problem.hint && <p class="state-text">{problem.hint}</p>}
            <div class="state-act">
                {retry && <button type="button" class="button" onClick={retry}>Try again</button>}
                {command && <Command text={command} />}
                <code class="quiet">{problem.code}</code>
            </div>
        </div>
    );
}

export function Forbidden({ role, problem }: { role?: string; problem?: Problem }) {
    const need = role ?? problem?.role;
    return (
        <div class="state" role="alert">
            <p class="state-title">{need ? <>This needs the role {need}.</> : (problem?.what ?? "Your role may not see this.")}</p>
            <p class="state-text">{need && problem?.what ? problem.what : "Someone with the role Admin can give it to you."}</p>
            <div class="state-act"><Command text={`sluice users role NAME ${need ? need.toLowerCase() : "ROLE"}`} /></div>
        </div>
    );
}

/** The three ways of a GET in one place. */
export function Await<T>({ of, what, lines, children }: { of: Got<T>; what?: string; lines?: number; children: (value: T) => ComponentChildren }) {
    if (of.value !== undefined) return <>{children(of.value)}</>;
    if (of.problem) return <Failed problem={of.problem} retry={of.reload} />;
    return <Loading {...(what && { what })} {...(lines && { lines })} />;
}

/** Words of states, and which of the few tones each has. The tone gives colour and shape, the word says it. */
const TONES: Record<string, Tone> = {
    running: "good", healthy: "good", ok: "good", success: "good", stable: "good", done: "good", active: "good", open: "good", caught_up: "good", up: "good", live: "good",
    starting: "busy", queued: "busy", scheduled: "busy", restarting: "busy", building: "busy", catching_up: "busy", preparing_rebalance: "busy", completing_rebalance: "busy", deferred: "busy", pending: "busy",
    up_for_retry: "warn", behind: "warn", late: "warn", silent: "warn", warn: "warn", warning: "warn", degraded: "warn", retrying: "warn", up_for_reschedule: "warn",
    failed: "bad", dead: "bad", error: "bad", stopped: "bad", firing: "bad", down: "bad", upstream_failed: "bad", unbalanced: "bad", lost: "bad",
    paused: "off", waiting: "off", ended: "off", empty: "off", skipped: "off", idle: "off", removed: "off", none: "off", disabled: "off", finished: "off", off: "off",
};
export type Tone = "good" | "warn" | "bad" | "busy" | "off";

export function toneOf(state: string | null | undefined): Tone {
    return TONES[(state ?? "none").toLowerCase().replaceAll(/[ -]/g, "_")] ?? "off";
}

/** A state: a sign whose shape differs by tone, and the word. */
export function State({ of, word, tone }: { of: string | null | undefined; word?: ComponentChildren; tone?: Tone }) {
    const t = tone ?? toneOf(of);
    return (
        <span class={`sign sign-${t}`}>
            <Sign tone={t} />
            {word ?? (of ?? "none").replaceAll("_", " ")}
        </span>
    );
}

/** Circle: good; triangle: warn; square: bad; ring: busy; bar: off. */
export function Sign({ tone }: { tone: Tone }) {
    const shape = {
        good: <circle cx="5" cy="5" r="3.5" />,
        warn: <path d="M5 1l4.4 8H.6z" />,
        bad: <path d="M1 1h8v8H1z" />,
        busy: <circle cx="5" cy="5" r="3.2" class="ring" />,
        off: <path d="M1.5 4h7v2h-7z" />,
    }[tone];
    return <svg class={`sign-shape tone-${tone}`} viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">{shape}</svg>;
}
