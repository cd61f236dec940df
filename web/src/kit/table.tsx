/** A list: sortable columns, a filter that `/` focuses, `j` `k` Enter, a side panel beside it, and only the rows on
 * screen in the document, so that 100,000 scroll as ten do. Filter, order and the open row stand in the address bar. */
import { Component, type ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { count } from "./format";
import { Icon } from "./icon";
import { byName } from "./order";
import { useKeys } from "./keys";
import { param, setQuery } from "./router";
import { Empty, Loading } from "./states";
import { phone } from "./theme";

export interface Column<R> {
    key: string; // stands in the address bar when it is sorted by
    title: string;
    of: (row: R) => string | number | boolean | null | undefined; // sorts, filters, and is shown unless `cell` is there
    cell?: (row: R) => ComponentChildren;
    right?: boolean; // numbers
    width?: string; // of a grid column: "120px", "minmax(160px, 2fr)"
    mono?: boolean;
    wide?: boolean; // not shown on a phone
    sort?: false;
    hint?: string; // what it is, on hover
    first?: "down"; // the first click sorts the largest to the top
}

interface TableProps<R> {
    id?: string; // tells two tables of one page apart in the address bar
    label: string; // what it lists, for the ear and for the filter's place
    rows: readonly R[] | undefined; // undefined: being loaded
    rowKey: (row: R) => string;
    columns: Column<R>[];
    panel?: (row: R) => ComponentChildren; // the side panel of a row
    panelTitle?: (row: R) => string; // its title, where the row's key says nothing to people
    open?: (row: R) => void; // instead of a panel: what Enter and a click do
    href?: (row: R) => string; // where the first column leads
    sort?: string; // at first: "name" or "-rate"
    empty?: ComponentChildren; // when there is none at all
    tools?: ComponentChildren; // beside the filter
    filter?: false; // no filter box
    height?: string; // of the list; else what the window has
    tone?: (row: R) => "bad" | "warn" | "off" | undefined;
    onEnd?: () => void; // the last rows came into sight: there may be more
    note?: ComponentChildren; // below the list
    what?: string; // what it waits for
    remote?: boolean; // the server filters and sorts: rows are shown as they come
}

const ROW = 32;
const PHONE_ROW = 40;
const AHEAD = 4; // rows beyond what is in sight, at least …
const STEP = 8; // … and as many as make whole steps: most frames of a scroll change no row

const none = (v: unknown) => v === null || v === undefined || v === "";

/** Rows that hold every word of the filter, in the order asked for. */
function arrange<R>(rows: readonly R[], columns: Column<R>[], filter: string, sort: string): readonly R[] {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    let list = rows;
    if (words.length)
        list = rows.filter((r) => {
            const text = columns.map((c) => c.of(r) ?? "").join("\u0001").toLowerCase();
            return words.every((w) => text.includes(w));
        });
    const down = sort.startsWith("-");
    const column = columns.find((c) => c.key === sort.replace(/^-/, ""));
    if (!column) return list;
    const keyed = list.map((r) => ({ r, v: column.of(r) }));
    const order = byName(keyed.map((k) => k.v).filter((v) => typeof v === "string"));
    keyed.sort((a, b) => {
        if (none(a.v) || none(b.v)) return none(a.v) && none(b.v) ? 0 : none(a.v) ? 1 : -1; // at the end, both ways
        const by = typeof a.v === "number" && typeof b.v === "number" ? a.v - b.v : order(String(a.v), String(b.v));
        return down ? -by : by;
    });
    return keyed.map((k) => k.r);
}

/** Which rows of a list that scrolls are in sight. */
function useWindow(total: number, height: number) {
    const box = useRef<HTMLDivElement>(null);
    const [span, setSpan] = useState({ from: 0, to: 60 });
    useLayoutEffect(() => {
        const b = box.current;
        if (!b) return undefined;
        let frame = 0;
        const look = () => {
            frame = 0;
            const from = Math.max(0, Math.floor((b.scrollTop / height - AHEAD) / STEP) * STEP);
            const to = Math.ceil(((b.scrollTop + b.clientHeight) / height + AHEAD) / STEP) * STEP;
            setSpan((s) => (s.from === from && s.to === to ? s : { from, to }));
        };
        const later = () => (frame ||= requestAnimationFrame(look));
        const size = new ResizeObserver(later);
        size.observe(b);
        b.addEventListener("scroll", later, { passive: true });
        look();
        return () => {
            size.disconnect();
            b.removeEventListener("scroll", later);
            cancelAnimationFrame(frame);
        };
    }, [height, total === 0]);
    return { box, from: Math.min(span.from, Math.max(0, total - 1)), to: Math.min(span.to, total) };
}

interface RowProps<R> {
    of: R;
    n: number;
    host: TableProps<R>;
    shown: number; // of its columns
    at: boolean;
    opened: boolean;
    acts: boolean;
    verbs: { enter: (n: number) => void; at: (n: number) => void };
}

/** One row. Scrolling makes those that come into sight and leaves the others as they are. */
class Row<R> extends Component<RowProps<R>> {
    override shouldComponentUpdate(next: RowProps<R>, state: unknown): boolean {
        const p = this.props;
        return state !== this.state || p.of !== next.of || p.n !== next.n || p.host !== next.host || p.shown !== next.shown || p.at !== next.at || p.opened !== next.opened;
    }
    override render({ of: r, n, host, shown, at, opened, acts, verbs }: RowProps<R>) {
        const columns = shown === host.columns.length ? host.columns : host.columns.filter((c) => !c.wide);
        const tone = host.tone?.(r);
        return (
            <div role="row" aria-rowindex={n + 2} data-n={n} data-key={host.rowKey(r)} tabIndex={at ? 0 : -1} aria-selected={acts ? opened : undefined}
                class={`table-row${acts ? " can" : ""}${opened ? " is-open" : ""}${tone ? ` row-${tone}` : ""}`}
                onClick={(e) => !(e.target as Element).closest("a, button, input, select, label, summary") && !window.getSelection()?.toString() && verbs.enter(n)}
                onFocus={() => verbs.at(n)}>
                {columns.map((c, ci) => {
                    const v = c.of(r);
                    const content = c.cell ? c.cell(r) : typeof v === "number" ? count(v) : v === null || v === undefined ? <span class="none">–</span> : String(v);
                    return (
                        <div key={c.key} role={ci === 0 ? "rowheader" : acts ? "gridcell" : "cell"} class={`${c.right ? "right num" : ""}${c.mono ? " mono" : ""}`} title={c.cell || typeof v !== "string" ? undefined : v}>
                            {ci === 0 && host.href ? <a href={host.href(r)} tabIndex={-1}><bdi>{content}</bdi></a> : typeof v === "string" && !c.cell ? <bdi>{content}</bdi> : content}
                        </div>
                    );
                })}
            </div>
        );
    }
}

export function Table<R>(p: TableProps<R>) {
    const pre = p.id ? p.id + "." : "";
    const filter = param(pre + "q");
    const sort = param(pre + "sort", p.sort ?? "");
    const opened = param(pre + "row");
    const small = phone.value;
    const height = small ? PHONE_ROW : ROW;
    const shown = small ? p.columns.filter((c) => !c.wide) : p.columns;
    const all = p.rows;
    const rows = useMemo(() => (all && !p.remote ? arrange(all, p.columns, filter, sort) : (all ?? [])), [all, filter, sort, p.remote, p.columns.length]);
    const [at, setAt] = useState(0);
    const cursor = Math.min(at, Math.max(0, rows.length - 1));
    const field = useRef<HTMLInputElement>(null);
    const { box, from, to } = useWindow(rows.length, height);
    const row = useMemo(() => (p.panel && opened ? all?.find((r) => p.rowKey(r) === opened) : undefined), [all, opened]);

    useEffect(() => {
        if (p.onEnd && rows.length && to >= rows.length) p.onEnd();
    }, [to, rows.length]);

    const see = (n: number, focus = true) => {
        const next = Math.max(0, Math.min(rows.length - 1, n));
        setAt(next);
        const b = box.current;
        if (!b) return;
        if (next * height < b.scrollTop) b.scrollTop = next * height;
        else if ((next + 2) * height > b.scrollTop + b.clientHeight) b.scrollTop = (next + 2) * height - b.clientHeight;
        if (focus) requestAnimationFrame(() => b.querySelector<HTMLElement>(`[data-n="${next}"]`)?.focus({ preventScroll: true }));
    };
    const enter = (n: number) => {
        const r = rows[n];
        if (!r) return;
        setAt(n);
        if (p.open) p.open(r);
        else if (p.panel) setQuery({ [pre + "row"]: p.rowKey(r) }, { step: !opened });
    };
    const close = () => {
        setQuery({ [pre + "row"]: null });
        see(cursor);
    };
    useKeys(p.label, [
        ...(p.filter === false ? [] : [{ key: "/", what: "filter", run: () => field.current?.focus() }]),
        { key: "j", what: "next row", run: () => see(document.activeElement?.closest(".table-rows") === box.current ? cursor + 1 : cursor) },
        { key: "k", what: "row before", run: () => see(cursor - 1) },
        ...(p.open || p.panel ? [{ key: "Enter", what: "open", run: () => undefined }] : []),
        ...(row ? [{ key: "Escape", what: "close the panel", run: close, typing: true }] : []),
    ].filter((k) => k.key !== "Enter"));

    const onKey = (e: KeyboardEvent) => {
        const page = Math.max(1, Math.floor((box.current?.clientHeight ?? height) / height) - 1);
        const step = { ArrowDown: cursor + 1, ArrowUp: cursor - 1, PageDown: cursor + page, PageUp: cursor - page, Home: 0, End: rows.length - 1 }[e.key];
        if (step !== undefined) (e.preventDefault(), see(step));
        else if (e.key === "Enter" && (e.target as HTMLElement).dataset["n"] !== undefined) (e.preventDefault(), enter(cursor));
    };
    const order = (c: Column<R>) => {
        const mine = sort.replace(/^-/, "") === c.key;
        const first = c.first === "down" ? "-" : "";
        const second = first ? "" : "-";
        setQuery({ [pre + "sort"]: !mine ? first + c.key : sort.startsWith("-") === (first === "-") ? second + c.key : null });
    };
    const grid = shown.map((c) => c.width ?? (c.right ? "minmax(72px, max-content)" : "minmax(96px, 1fr)")).join(" ");
    const acts = Boolean(p.open || p.panel);
    const verbs = useRef({ enter, at: setAt });
    verbs.current.enter = enter; // the rows keep the object, and find the present one in it

    return (
        <div class={`table-frame${row ? " with-panel" : ""}`}>
            <div class="table-main">
                {(p.filter !== false || p.tools) && (
                    <div class="table-tools">
                        {p.filter !== false && (
                            <label class="filter">
                                <Icon name="search" />
                                <span class="hidden">Filter {p.label}</span>
                                <input ref={field} type="search" class="input" placeholder={`Filter ${p.label.toLowerCase()}`} value={filter} spellcheck={false}
                                    onInput={(e) => (setQuery({ [pre + "q"]: e.currentTarget.value }), setAt(0))}
                                    onKeyDown={(e) => {
                                        if (e.key === "Escape") (e.preventDefault(), filter ? setQuery({ [pre + "q"]: null }) : e.currentTarget.blur());
                                        else if (e.key === "Enter" || e.key === "ArrowDown") (e.preventDefault(), see(0));
                                    }} />
                                {!filter && <kbd aria-hidden="true">/</kbd>}
                            </label>
                        )}
                        {all && <span class="quiet table-count" role="status">{rows.length === all.length ? count(all.length) : `${count(rows.length)} of ${count(all.length)}`}</span>}
                        {p.tools && <div class="table-acts">{p.tools}</div>}
                    </div>
                )}
                {all === undefined ? <Loading {...(p.what && { what: p.what })} /> : all.length === 0 ? (p.empty ?? <Empty title={`No ${p.label.toLowerCase()}.`} />) : rows.length === 0 ? (
                    <Empty title={`Nothing matches “${filter}”.`} action={<button type="button" class="button" onClick={() => setQuery({ [pre + "q"]: null })}>Show all {count(all.length)}</button>} />
                ) : (
                    <div class="table" role={acts ? "grid" : "table"} aria-label={p.label} aria-rowcount={rows.length + 1} style={{ "--grid": grid, "--row": `${height}px`, ...(p.height && { "--tall": p.height }) }}>
                        <div class="table-rows" ref={box} onKeyDown={onKey} role="presentation">
                            <div class="table-head" role="row" aria-rowindex={1}>
                                {shown.map((c) => {
                                    const mine = sort.replace(/^-/, "") === c.key;
                                    return (
                                        <div key={c.key} role="columnheader" class={c.right ? "right" : undefined} title={c.hint} aria-sort={mine ? (sort.startsWith("-") ? "descending" : "ascending") : undefined}>
                                            {c.sort === false || p.remote ? <span>{c.title}</span> : (
                                                <button type="button" onClick={() => order(c)}>{c.title}{mine && <Icon name={sort.startsWith("-") ? "down" : "up"} />}</button>
                                            )}
                                        </div>
                                    );
                                })}
                            </div>
                            <div class="table-space" role="presentation" style={{ height: `${from * height}px` }} />
                            {rows.slice(from, to).map((r, i) => {
                                const key = p.rowKey(r);
                                return <Row key={key} of={r} n={from + i} host={p} shown={shown.length} at={from + i === cursor} opened={key === opened} acts={acts} verbs={verbs.current} />;
                            })}
                            <div class="table-space" role="presentation" style={{ height: `${Math.max(0, rows.length - to) * height}px` }} />
                        </div>
                    </div>
                )}
                {p.note && <div class="table-note quiet">{p.note}</div>}
            </div>
            {row && p.panel && <Side title={(p.panelTitle ?? p.rowKey)(row)} onClose={close}>{p.panel(row)}</Side>}
        </div>
    );
}

/** The panel beside a list; on a phone over it. */
export function Side({ title, onClose, children }: { title: ComponentChildren; onClose: () => void; children: ComponentChildren }) {
    return (
        <aside class="side" aria-label={typeof title === "string" ? title : undefined}>
            <header class="side-head">
                <h2><bdi>{title}</bdi></h2>
                <button type="button" class="button button-bare" aria-label="Close the panel" onClick={onClose}><Icon name="close" /></button>
            </header>
            <div class="side-body">{children}</div>
        </aside>
    );
}
