/** Ctrl-K: any page, topic, stream, table, column, dag, command or page of the documentation, by name; and what the
 * page on screen can do. */
import { signal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, type Problem } from "./api";
import { copy } from "./command";
import { Icon } from "./icon";
import { Kbd } from "./keys";
import { linkTo } from "./links";
import { at as pathOf, go, href } from "./router";
import { toast } from "./toast";

export interface Act {
    title: string;
    kind: string; // "page", "action", "topic", "stream", "table", "column", "dag", "command", "docs"
    note?: string;
    key?: string; // the keys that do the same
    href?: string;
    command?: string; // is copied
    run?: () => void;
}
export interface Found {
    kind: string;
    name: string;
    of?: string; // a column's table, a section's page
    note?: string;
    command?: string;
}

export const palette = signal(false);
const sources: { acts: () => Act[] }[] = [];

/** What a component offers in the palette while it is on screen. */
export function useActs(acts: Act[]): void {
    const mine = useRef(acts);
    mine.current = acts;
    useEffect(() => {
        const source = { acts: () => mine.current };
        sources.push(source);
        return () => void sources.splice(sources.indexOf(source), 1);
    }, []);
}

/** How well a name fits: the start of it, the start of a word, inside, or its letters in order; 0: not at all. */
export function fits(name: string, asked: string): number {
    const n = name.toLowerCase();
    const a = asked.toLowerCase().trim();
    if (!a) return 1;
    if (n === a) return 100;
    if (n.startsWith(a)) return 80;
    const i = n.indexOf(a);
    if (i > 0) return /[\w]/.test(n[i - 1]!) ? 40 : 60;
    if (a.split(/\s+/).every((w) => n.includes(w))) return 30;
    let at = 0;
    for (const c of a) if ((at = n.indexOf(c, at) + 1) === 0) return 0;
    return a.length > 2 ? 10 : 0;
}

/** Where what was found has its page; a section of the documentation, its paragraph. */
function leadsTo(f: Found, asked: string): string {
    if (f.kind === "docs" && f.of) return href(pathOf("docs", f.of), { at: f.name, find: asked.trim() });
    return f.of ? linkTo("table", f.of) : linkTo(f.kind, f.name);
}

function useFound(asked: string): { found: Found[]; busy: boolean; problem: Problem | undefined } {
    const [state, set] = useState<{ asked: string; found: Found[]; problem?: Problem }>({ asked: "", found: [] });
    useEffect(() => {
        if (!asked.trim()) return set({ asked, found: [] });
        const stop = new AbortController();
        const t = setTimeout(async () => {
            const got = await api.get<{ results: Found[] }>("search", { q: asked.trim(), limit: 40 }, stop.signal);
            if (!stop.signal.aborted) set(got.ok ? { asked, found: got.value.results ?? [] } : { asked, found: [], problem: got.problem });
        }, 80);
        return () => (clearTimeout(t), stop.abort());
    }, [asked]);
    return { found: state.found, busy: state.asked !== asked, problem: state.problem };
}

export function Palette() {
    return palette.value ? <Box /> : null;
}

function Box() {
    const box = useRef<HTMLDialogElement>(null);
    const list = useRef<HTMLUListElement>(null);
    const [asked, setAsked] = useState("");
    const [at, setAt] = useState(0);
    const id = useId();
    const { found, busy, problem } = useFound(asked);
    const close = () => (palette.value = false);
    useLayoutEffect(() => {
        const back = document.activeElement;
        box.current!.showModal();
        return () => {
            box.current?.close();
            if (back instanceof HTMLElement) back.focus({ preventScroll: true });
        };
    }, []);
    const rows = useMemo(() => {
        const own = sources.flatMap((s) => s.acts()).map((act) => ({ act, fit: fits(act.title, asked) + (act.kind === "page" ? 2 : 1) }));
        const theirs = found.map((f) => ({ act: { title: f.name, kind: f.kind, ...((f.note || f.of) && { note: f.note && f.of ? `${f.of}: ${f.note}` : (f.note ?? f.of) }), ...(f.command ? { command: f.command } : { href: leadsTo(f, asked) }) } as Act, fit: fits(f.name, asked) || 5 }));
        return [...own.filter((r) => r.fit > 2), ...theirs].sort((a, b) => b.fit - a.fit).slice(0, 60).map((r) => r.act);
    }, [asked, found]);
    const now = Math.min(at, Math.max(0, rows.length - 1));
    useEffect(() => list.current?.children[now]?.scrollIntoView({ block: "nearest" }), [now, rows]);
    const take = (act: Act | undefined) => {
        if (!act) return;
        close();
        if (act.run) act.run();
        else if (act.href?.startsWith("/")) go(act.href);
        else if (act.command) void copy(act.command).then((ok) => toast(ok ? `Copied: ${act.command}` : act.command!, ok ? "good" : "warn"));
    };
    const onKey = (e: KeyboardEvent) => {
        const next = e.key === "ArrowDown" || (e.ctrlKey && e.key === "n") ? now + 1 : e.key === "ArrowUp" || (e.ctrlKey && e.key === "p") ? now - 1 : null;
        if (next !== null) (e.preventDefault(), setAt((next + rows.length) % Math.max(1, rows.length)));
        else if (e.key === "Enter") (e.preventDefault(), take(rows[now]));
    };
    return (
        <dialog ref={box} class="dialog palette" aria-label="Find anything" onCancel={(e) => (e.preventDefault(), close())} onMouseDown={(e) => e.target === box.current && close()}>
            <div class="palette-ask">
                <Icon name="search" />
                <input class="palette-input" role="combobox" aria-expanded="true" aria-controls={`${id}-list`} aria-activedescendant={rows.length ? `${id}-${now}` : undefined} aria-label="Find a page, topic, stream, table, column, dag, command or document"
                    placeholder="Find a topic, stream, table, dag, command …" value={asked} autofocus spellcheck={false} autocomplete="off" onInput={(e) => (setAsked(e.currentTarget.value), setAt(0))} onKeyDown={onKey} />
                <kbd>Esc</kbd>
            </div>
            <ul class="palette-list" id={`${id}-list`} role="listbox" aria-label="Found" ref={list}>
                {rows.map((act, i) => (
                    <li key={`${act.kind} ${act.title} ${act.href ?? i}`} id={`${id}-${i}`} role="option" aria-selected={i === now} onMouseMove={() => i !== now && setAt(i)} onClick={() => take(act)}>
                        <span class="palette-kind">{act.kind}</span>
                        <bdi class="palette-title">{act.title}</bdi>
                        {act.note && <span class="palette-note">{act.note}</span>}
                        {act.command && !act.href && <span class="palette-note">copies the command</span>}
                        {act.key && <Kbd of={act.key} beside />}
                    </li>
                ))}
            </ul>
            {problem && <p class="palette-none" role="alert">{problem.what} Only what the page itself knows is looked through.</p>}
            {rows.length === 0 && !problem && <p class="palette-none quiet" role="status">{busy ? "Looking" : `Nothing is named like “${asked}”.`}</p>}
        </dialog>
    );
}
