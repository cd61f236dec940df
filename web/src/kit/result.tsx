/** Rows of a statement, as a table, as lines over time, as bars, as one number, as a map or as cards with pictures. */
import { useEffect, useState } from "preact/hooks";
import { BASE } from "./api";
import { Bars, Chart } from "./chart";
import { count } from "./format";
import { Json, saveAs } from "./json";
import { asCsv, asJson, type SqlResult } from "./sql";
import { Empty, Loading } from "./states";
import { Table } from "./table";
import type { MapProps } from "./map";
import { Button } from "./form";

export const DRAWINGS = ["table", "line", "bars", "number", "map", "cards"] as const;
export type DrawingKind = (typeof DRAWINGS)[number];
export interface Drawing {
    kind: DrawingKind;
    x?: string; // the column along: a time, a group, a country; nothing: the first
    y?: string; // the column of figures; nothing: every other number
}

const isNumber = (v: unknown): boolean => v !== null && v !== "" && typeof v !== "boolean" && Number.isFinite(Number(v));

/** Milliseconds of a timestamp or date as statements give it. */
function timeOf(v: unknown): number {
    const t = typeof v === "number" ? v : Date.parse(String(v).replace(" ", "T"));
    return Number.isFinite(t) ? t : NaN;
}

function places(r: SqlResult, d: Drawing): { x: number; ys: number[] } {
    const x = Math.max(0, r.columns.findIndex((c) => c.name === d.x));
    const all = r.columns.map((_, i) => i).filter((i) => i !== x && r.rows.some((row) => isNumber(row[i])));
    const y = r.columns.findIndex((c) => c.name === d.y);
    return { x, ys: y >= 0 ? [y] : all };
}

/** What suits it when nobody has said: one number, lines over a time, else a table. */
export function suits(r: SqlResult): DrawingKind {
    if (r.rows.length === 1 && r.columns.length === 1) return "number";
    const first = r.columns[0]?.type ?? "";
    const figures = r.columns.slice(1).some((_, i) => r.rows.every((row) => row[i + 1] === null || isNumber(row[i + 1])));
    if (r.rows.length > 1 && figures && /^(timestamp|date)/.test(first)) return "line";
    return "table";
}

export function ResultTable({ of: r, id, height = "320px" }: { of: SqlResult; id: string; height?: string }) {
    const rows = r.rows.map((cells, n) => ({ cells, n }));
    const [open, setOpen] = useState<{ name: string; value: unknown }>();
    return (
        <>
            <Table id={id} label="Rows" rows={rows} rowKey={(row) => String(row.n)} height={height} filter={false}
                columns={r.columns.map((c, i) => ({
                    key: `${i}`, title: c.name, hint: c.type, width: "minmax(96px, 1fr)",
                    right: r.rows.length > 0 && r.rows.every((row) => row[i] === null || (typeof row[i] === "number")),
                    of: (row: { cells: unknown[] }) => { const v = row.cells[i]; return typeof v === "object" && v !== null ? JSON.stringify(v) : (v as string | number | boolean | null); },
                    cell: (row: { cells: unknown[] }) => {
                        const v = row.cells[i];
                        if (v === null || v === undefined) return <span class="none">null</span>;
                        if (typeof v === "object") return <button type="button" class="json-fold" onClick={() => setOpen({ name: c.name, value: v })}><bdi>{JSON.stringify(v).slice(0, 200)}</bdi></button>;
                        return <bdi title={String(v)}>{String(v)}</bdi>;
                    },
                }))}
                note={r.more ? `The first ${count(r.rows.length)} rows; there are more.` : `${count(r.rows.length)} rows`}
                empty={<Empty title="No rows." />} />
            {open && <div class="result-open"><strong><bdi>{open.name}</bdi></strong> <Button kind="bare" label="Close" onClick={() => setOpen(undefined)}>✕</Button><Json of={open.value} /></div>}
        </>
    );
}

function Line({ of: r, drawing, title }: { of: SqlResult; drawing: Drawing; title: string }) {
    const { x, ys } = places(r, drawing);
    const rows = r.rows.map((row) => ({ t: timeOf(row[x]), row })).filter((p) => !Number.isNaN(p.t)).sort((a, b) => a.t - b.t);
    if (!rows.length || !ys.length) return <Empty title="Nothing to draw.">Lines need a time in the first column, or in the one named, and a number beside it.</Empty>;
    return <Chart title={title} times={rows.map((p) => p.t)} gap={Infinity} zoom={() => undefined}
        series={ys.map((y) => ({ label: r.columns[y]!.name, values: rows.map((p) => (isNumber(p.row[y]) ? Number(p.row[y]) : null)) }))} />;
}

function Lazy(p: MapProps) {
    const [Draw, setDraw] = useState<{ of: (p: MapProps) => preact.JSX.Element }>();
    useEffect(() => void import("./map").then((m) => setDraw({ of: m.WorldMap })), []);
    return Draw ? <Draw.of {...p} /> : <Loading what="the map" />;
}

/** A picture of the local RandomUser API by this host: a page asks no other one. */
export function picture(of: unknown): string | undefined {
    const m = /\/api\/portraits\/(?:(med|thumb)\/)?(men|women|lego)\/(\d+)\.jpg$/.exec(String(of ?? ""));
    return m ? `${BASE}/portraits/${m[1] ?? "large"}/${m[2]}/${m[3]}` : undefined;
}

/** Latest people and the like: a picture, a name and the rest of it. */
function Cards({ of: r }: { of: SqlResult }) {
    const face = r.columns.findIndex((c) => /picture|portrait|image|thumbnail|avatar/i.test(c.name));
    const rest = r.columns.map((_, i) => i).filter((i) => i !== face);
    return (
        <ul class="cards">
            {r.rows.slice(0, 60).map((row, n) => (
                <li key={n}>
                    {face >= 0 && picture(row[face]) && <img src={picture(row[face])} alt="" width="40" height="40" loading="lazy" />}
                    <div>{rest.map((i, k) => (k ? <span class="quiet"><bdi>{String(row[i] ?? "")}</bdi> </span> : <strong><bdi>{String(row[i] ?? "")}</bdi><br /></strong>))}</div>
                </li>
            ))}
        </ul>
    );
}

export function Result({ of: r, drawing, id, title }: { of: SqlResult; drawing?: Drawing | undefined; id: string; title: string }) {
    const d = drawing ?? { kind: suits(r) };
    const { x, ys } = places(r, d);
    const y = ys[0];
    switch (d.kind) {
        case "number": {
            const v = r.rows[0]?.[y ?? x];
            return <p class="result-number live">{isNumber(v) ? count(Number(v)) : <bdi>{String(v ?? "–")}</bdi>}<span class="quiet"> {r.columns[y ?? x]?.name}</span></p>;
        }
        case "line":
            return <Line of={r} drawing={d} title={title} />;
        case "bars":
            if (y === undefined) return <Empty title="Nothing to draw.">Bars need a column of numbers.</Empty>;
            return <Bars title={title} of={r.rows.slice(0, 50).map((row) => ({ label: String(row[x] ?? "null"), value: Number(row[y] ?? 0) }))} />;
        case "map":
            if (y === undefined) return <Empty title="Nothing to draw.">A map needs a country's code or name, and a number beside it.</Empty>;
            return <Lazy title={title} of={r.rows.map((row) => ({ country: String(row[x] ?? ""), value: Number(row[y] ?? 0) }))} />;
        case "cards":
            return r.rows.length ? <Cards of={r} /> : <Empty title="No rows." />;
        default:
            return <ResultTable of={r} id={id} />;
    }
}

/** How it is drawn, and a file of it. */
export function Save({ of: r, name }: { of: SqlResult; name: string }) {
    return (
        <>
            <Button kind="bare" title="The rows as CSV" onClick={() => saveAs(`${name}.csv`, asCsv(r), "text/csv")}>CSV</Button>
            <Button kind="bare" title="The rows as JSON lines" onClick={() => saveAs(`${name}.jsonl`, asJson(r), "application/x-ndjson")}>JSON</Button>
        </>
    );
}
