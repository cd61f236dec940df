/** The frame of a page: its title, what it answers, its acts, and the way back to the picture; tabs, facts, cards. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { href, param, path, query, setQuery } from "./router";

/** What a page is given: the parts of the path after its own ("/topics/users/x" -> ["users", "x"]). */
export interface PageArgs {
    rest: string[];
}

interface PageProps {
    title: string;
    answer?: ComponentChildren; // the page's one question, answered in a line, above the fold
    back?: { href: string; title: string }; // from a part to its list
    acts?: ComponentChildren;
    children: ComponentChildren;
}

export function Page({ title, answer, back, acts, children }: PageProps) {
    useEffect(() => {
        document.title = `${title} · Sluice`;
    }, [title]);
    return (
        <div class="page">
            <header class="page-head">
                <div class="page-name">
                    {path.value !== "/" && (
                        <nav class="crumbs" aria-label="Way back">
                            <a href="/">Overview</a>
                            {back && <a href={back.href}>{back.title}</a>}
                        </nav>
                    )}
                    <h1><bdi>{title}</bdi></h1>
                    {answer && <div class="page-answer">{answer}</div>}
                </div>
                {acts && <div class="page-acts">{acts}</div>}
            </header>
            {children}
        </div>
    );
}

export interface Tab {
    key: string; // "" is the first one
    title: ComponentChildren;
    count?: number | null | undefined;
}

/** Views of one thing, in the address bar as ?view=; links, so that each can be opened in a tab of its own. */
export function Tabs({ of, label, name = "view" }: { of: Tab[]; label: string; name?: string }) {
    const now = param(name);
    return (
        <nav class="tabs" aria-label={label}>
            {of.map((t) => (
                <a key={t.key} href={href(path.value, { ...Object.fromEntries(query.value), [name]: t.key || null })} aria-current={now === t.key ? "page" : undefined}>
                    {t.title}
                    {t.count !== undefined && t.count !== null && <span class="tab-count">{t.count}</span>}
                </a>
            ))}
        </nav>
    );
}

/** Names and values. */
export function Facts({ of }: { of: ([string, ComponentChildren] | null | undefined | false)[] }) {
    return (
        <dl class="facts">
            {of.filter((f): f is [string, ComponentChildren] => Boolean(f)).map(([name, value]) => (
                <div key={name}><dt>{name}</dt><dd>{value ?? <span class="none">–</span>}</dd></div>
            ))}
        </dl>
    );
}

/** A few large numbers side by side: what a page answers. */
export function Figures({ of }: { of: { title: string; value: ComponentChildren; note?: ComponentChildren; tone?: "bad" | "warn" | undefined; href?: string }[] }) {
    return (
        <ul class="figures">
            {of.map((f) => (
                <li key={f.title} class={f.tone ? `figure-${f.tone}` : undefined}>
                    <span class="figure-title">{f.href ? <a href={f.href}>{f.title}</a> : f.title}</span>
                    <span class="figure-value live">{f.value}</span>
                    {f.note && <span class="figure-note">{f.note}</span>}
                </li>
            ))}
        </ul>
    );
}

export function Section({ title, acts, children, note }: { title: string; acts?: ComponentChildren; note?: ComponentChildren; children: ComponentChildren }) {
    return (
        <section class="section">
            <header class="section-head">
                <h2>{title}</h2>
                {note && <span class="quiet">{note}</span>}
                {acts && <div class="section-acts">{acts}</div>}
            </header>
            {children}
        </section>
    );
}

const RANGES = [["5m", "5 min"], ["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"], ["24h", "24 h"]] as const;
const UNIT: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The page's time range: ?last=15m, or ?from=…&to=… (milliseconds) after a drag in a chart. */
export function timeRange(fallback = "15m"): { from: number | null; to: number | null; last: string; span: number } {
    const from = Number(param("from")) || null;
    const to = Number(param("to")) || null;
    const last = /^\d+[smhd]$/.test(param("last")) ? param("last") : fallback;
    return { from, to, last, span: from && to ? to - from : parseInt(last, 10) * (UNIT[last.slice(-1)] ?? 60_000) };
}

export function setTimeRange(from: number, to: number): void {
    setQuery({ from: Math.round(from), to: Math.round(to), last: null }, { step: true });
}

export function TimeRange({ fallback = "15m" }: { fallback?: string }) {
    const r = timeRange(fallback);
    const zoomed = r.from !== null && r.to !== null;
    return (
        <div class="segments" role="group" aria-label="Time range">
            {RANGES.map(([key, title]) => (
                <button type="button" key={key} aria-pressed={!zoomed && r.last === key} onClick={() => setQuery({ last: key === fallback ? null : key, from: null, to: null }, { step: true })}>{title}</button>
            ))}
            {zoomed && <button type="button" aria-pressed="true" onClick={() => setQuery({ from: null, to: null })} title="Back to the live range">Zoomed ✕</button>}
        </div>
    );
}
