/** Small parts that several of the workflows' pages share. */
import type { ComponentChildren } from "preact";
import { Button, State, at, duration, exact, href, may, now, toMs, type Problem } from "../../kit";
import type { LightRun } from "./api";
import { word } from "./states";

/** A button for those who may; for others it says which role it needs. */
export function Act({ role = "User", children, onClick, kind, disabled, title }: { role?: string; children: ComponentChildren; onClick: () => void; kind?: "main" | "danger" | "bare"; disabled?: boolean; title?: string }) {
    const allowed = may(role);
    return (
        <Button {...(kind && { kind })} disabled={!allowed || disabled} title={allowed ? title : `Not allowed: this needs the role ${role}.`} onClick={onClick}>
            {children}
            {!allowed && <span class="hidden"> (not allowed: needs the role {role})</span>}
        </Button>
    );
}

/** Said once on a page whose acts someone may not do. */
export function NotAllowed({ role = "User", what }: { role?: string; what: string }) {
    return may(role) ? null : <p class="quiet wf-not">{what} needs the role {role}; yours may look.</p>;
}

export const dagHref = (dag: string, more: Record<string, string | number | null> = {}): string => href(at("workflows", dag), more);

/** How long from start to end, or until now while it goes on. */
export function lasted(start: string | null, end: string | null): number | null {
    const from = toMs(start);
    if (from === null) return null;
    return (toMs(end) ?? now.value) - from;
}

export function Lasted({ start, end }: { start: string | null; end: string | null }) {
    const ms = lasted(start, end);
    return ms === null ? <span class="none">–</span> : <span class="num">{duration(end ? ms : Math.max(0, Math.floor(ms / 1000) * 1000))}</span>;
}

/** A state as a small square whose shape differs by state. */
export function Square({ state, title }: { state: string | null | undefined; title?: string }) {
    return <span class={`wf-cell is-${state === undefined ? "absent" : (state ?? "none")}`} title={title} />;
}

export function runTitle(run: { run_id: string; state: string; run_after: string; start_date: string | null; end_date: string | null }): string {
    const ms = toMs(run.start_date);
    return [`${run.run_id}: ${word(run.state)}`, ms === null ? "" : `started ${exact(ms)}`, run.end_date && ms !== null ? `took ${duration(toMs(run.end_date)! - ms)}` : ""].filter(Boolean).join("\n");
}

/** The newest runs, the last at the right. */
export function LastRuns({ dag, runs }: { dag: string; runs: readonly LightRun[] }) {
    if (!runs.length) return <span class="none">none yet</span>;
    return (
        <span class="wf-runs">
            {[...runs].reverse().map((r) => (
                <a key={r.run_id} href={dagHref(dag, { run: r.run_id })} tabIndex={-1} aria-label={`Run ${r.run_id}: ${word(r.state)}`} title={runTitle(r)}><Square state={r.state} /></a>
            ))}
        </span>
    );
}

export function TaskState({ of }: { of: string | null | undefined }) {
    return <State of={of} word={word(of)} />;
}

/** JSON, indented, as text. */
export function Json({ of, label }: { of: unknown; label: string }) {
    return <pre class="wf-json" tabIndex={0} aria-label={label}><bdi>{typeof of === "string" ? of : JSON.stringify(of, null, 2)}</bdi></pre>;
}

/** The way instances are told in previews: how many, and which. */
export function Touched({ of }: { of: { task_id: string; dag_run_id: string; map_index: number; state: string | null }[] }) {
    const runs = new Set(of.map((t) => t.dag_run_id)).size;
    return (
        <>
            <p role="status"><b class="num">{of.length}</b> {of.length === 1 ? "task instance" : "task instances"}{runs > 1 && <> of <b class="num">{runs}</b> runs</>}</p>
            {of.length > 0 && (
                <ul class="wf-touched" tabIndex={0} aria-label="Task instances">
                    {of.slice(0, 500).map((t) => (
                        <li key={`${t.dag_run_id}\0${t.task_id}\0${t.map_index}`}>
                            <Square state={t.state} /> <bdi class="mono">{t.task_id}{t.map_index >= 0 ? ` [${t.map_index}]` : ""}</bdi>
                            {runs > 1 && <span class="quiet"> <bdi>{t.dag_run_id}</bdi></span>}
                            <span class="quiet"> {word(t.state)}</span>
                        </li>
                    ))}
                    {of.length > 500 && <li class="quiet">and {of.length - 500} more</li>}
                </ul>
            )}
        </>
    );
}

/** A refusal beside a form. */
export function sayProblem(p: Problem | undefined): string | undefined {
    return p && [p.what, p.why].filter(Boolean).join(" ");
}
