/** A stream's plan: its operators as a graph, with what passed through each, what it remembers, how long it worked. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Facts, bytes, count, curve, duration, layout, param, percent, plural, setQuery, short } from "../../kit";
import type { PlanGraph, PlanNode } from "./shape";

const TITLE: Record<string, string> = {
    topic: "reads", rows: "filters, computes", group: "groups", join: "joins", lookup: "looks up", union: "unites", distinct: "deduplicates",
    top: "keeps the first", window: "windows", unnest: "takes lists apart", over: "ranks", sort: "sorts", transform: "runs a command", write: "writes", one: "one row", table: "table",
};
const HEIGHT = 76;

export function Plan({ of: g, dead }: { of: PlanGraph; dead: number }) {
    const box = useRef<HTMLDivElement>(null);
    const [room, setRoom] = useState(0);
    useLayoutEffect(() => {
        const b = box.current!;
        const size = new ResizeObserver(() => setRoom(b.clientWidth));
        size.observe(b);
        setRoom(b.clientWidth);
        return () => size.disconnect();
    }, []);
    const shape = g.nodes.map((n) => n.id).join(",") + "|" + g.edges.join(";");
    const down = room > 0 && room < 620;
    const placed = useMemo(() => {
        const depth = g.nodes.length ? Math.max(2, longest(g)) : 2;
        const width = down ? Math.min(320, room - 8) : Math.floor(Math.max(168, Math.min(240, (room - (depth - 1) * 40) / depth)));
        return layout(g.nodes.map((n) => ({ id: String(n.id), width, height: HEIGHT })), g.edges.map(([f, t]) => ({ from: String(f), to: String(t) })), { gap: 16, layerGap: down ? 32 : 40, down });
    }, [shape, room, down]);
    const total = g.nodes.reduce((a, n) => a + n.spent_ms, 0);
    const slowest = total > 0 ? g.nodes.reduce((a, n) => (n.spent_ms > a.spent_ms ? n : a)) : null;
    const open = g.nodes.find((n) => String(n.id) === param("node"));
    return (
        <div class="stack" ref={box}>
            <p class="quiet">{slowest ? <>Most of its time goes into <b>{name(slowest)}</b>: {percent(slowest.spent_ms / total)}.</> : "It has not worked yet."}</p>
            {room > 0 && (
                <div class="streams-scroll scroll-x">
                    <div class="streams-graph" style={{ inlineSize: `${Math.ceil(placed.width)}px`, blockSize: `${Math.ceil(placed.height)}px` }} role="list" aria-label="The plan's stages, inputs first">
                        <svg width={Math.ceil(placed.width)} height={Math.ceil(placed.height)} aria-hidden="true" class="streams-lines">
                            {placed.edges.map((e) => <path key={`${e.from}>${e.to}`} d={curve(e.points, down)} />)}
                        </svg>
                        {g.nodes.map((n) => {
                            const p = placed.nodes.get(String(n.id));
                            return p && <Node key={n.id} of={n} share={total > 0 ? n.spent_ms / total : null} open={open?.id === n.id} style={{ left: `${p.x}px`, top: `${p.y}px`, width: `${p.width}px`, height: `${p.height}px` }} />;
                        })}
                    </div>
                </div>
            )}
            {open && <NodeWhole of={open} share={total > 0 ? open.spent_ms / total : null} />}
            {dead > 0 && <p class="quiet">What a stage could not use left the way as a dead letter: {plural(dead, "record")} so far.</p>}
        </div>
    );
}

function longest(g: PlanGraph): number {
    const depth = new Map<number, number>();
    for (const n of g.nodes) depth.set(n.id, 1 + Math.max(0, ...g.edges.filter(([, t]) => t === n.id).map(([f]) => depth.get(f) ?? 0))); // inputs stand first
    return Math.max(...depth.values());
}

function name(n: PlanNode): string {
    return n.title ? `${TITLE[n.kind] ?? n.kind} ${n.title}` : TITLE[n.kind] ?? n.kind;
}

function Node({ of: n, share, open, style }: { of: PlanNode; share: number | null; open: boolean; style: Record<string, string> }) {
    return (
        <div role="listitem" class="streams-spot" style={style}>
            <button type="button" class={`streams-node${open ? " is-open" : ""}`} aria-expanded={open} title={n.about || name(n)} onClick={() => setQuery({ node: open ? null : n.id })}>
                <span class="streams-top"><b><bdi>{name(n)}</bdi></b><span class="num live" data-share={n.id}>{share === null ? "" : percent(Math.round(share * 1000) / 1000)}</span></span>
                <span class="streams-about"><bdi>{n.about && n.about !== n.title ? n.about : "\u00a0"}</bdi></span>
                <span class="streams-counts num live">
                    <span data-in={n.id} data-value={n.rows_in}>{short(n.rows_in)} in</span>
                    {n.kind !== "write" && <span data-out={n.id} data-value={n.rows_out}>{short(n.rows_out)} out</span>}
                    {n.stateful && <span>{short(n.state_rows)} kept, {bytes(n.state_bytes)}</span>}
                    {n.late > 0 && <span class="is-wrong">{short(n.late)} late</span>}
                </span>
                <span class="streams-share" aria-hidden="true"><i style={{ inlineSize: `${Math.round((share ?? 0) * 100)}%` }} /></span>
            </button>
        </div>
    );
}

function NodeWhole({ of: n, share }: { of: PlanNode; share: number | null }) {
    return (
        <section class="streams-narrow" aria-label={`Stage ${name(n)}`}>
            <h2><bdi>{name(n)}</bdi></h2>
            <Facts of={[
                n.about !== "" && ["Does", <code class="streams-code">{n.about}</code>],
                ["Rows in", count(n.rows_in)],
                n.kind !== "write" && ["Rows out", count(n.rows_out)],
                n.late > 0 && ["Late", count(n.late)],
                n.stateful && ["Remembers", `${plural(n.state_rows, "row")}, ${bytes(n.state_bytes)} in memory`],
                ["At work", `${duration(n.spent_ms)}${share === null ? "" : `, ${percent(Math.round(share * 1000) / 1000)} of the stream's time`}`],
            ]} />
        </section>
    );
}
