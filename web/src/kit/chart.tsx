/** Lines over time: from zero, one axis, named at their ends (a legend from five on), one crosshair for all charts of
 * a page, drag sets the page's time range, gaps stay gaps. uPlot draws; it is fetched with the first chart. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { clock, count, exact, short } from "./format";
import { setTimeRange } from "./page";
import { colour, dark } from "./theme";

export interface Series {
    label: string;
    values: (number | null | undefined)[];
}
interface ChartProps {
    title: string;
    unit?: string; // said after each number: "/s", " records", " ms"
    times: number[]; // milliseconds, rising
    series: Series[];
    height?: number;
    from?: number | null; // the range shown, when it is not that of the data
    to?: number | null;
    zoom?: (from: number, to: number) => void; // instead of the page's time range
    say?: (n: number) => string; // how a number is said, instead of short() + unit
    gap?: number; // milliseconds without a sample that are a gap; else three times the usual step
    fill?: boolean;
}

const HUES = 6;
const LABEL_FROM = 5; // as many series have a legend instead of labels

/** Times in seconds, and a hole where samples are missing. */
function holes(times: number[], series: Series[], gap?: number): uPlot.AlignedData {
    const steps = times.slice(1).map((t, i) => t - times[i]!).sort((a, b) => a - b);
    const limit = gap ?? 3 * (steps[steps.length >> 1] ?? Infinity);
    const xs: number[] = [];
    const ys: (number | null)[][] = series.map(() => []);
    times.forEach((t, i) => {
        if (i > 0 && t - times[i - 1]! > limit) {
            xs.push((times[i - 1]! + 1) / 1000);
            ys.forEach((y) => y.push(null));
        }
        xs.push(t / 1000);
        series.forEach((s, n) => ys[n]!.push(s.values[i] ?? null));
    });
    return [xs, ...ys];
}

/** Names at the ends of the lines, moved apart where they would touch. */
function labels(u: uPlot, names: string[], hues: string[], ratio: number): void {
    const c = u.ctx;
    const ends = names.map((name, n) => {
        const ys = u.data[n + 1]!;
        let i = ys.length - 1;
        while (i >= 0 && (ys[i] === null || ys[i] === undefined)) i--;
        return i < 0 ? null : { name, hue: hues[n % HUES]!, y: u.valToPos(ys[i]!, "y", true) };
    }).filter((e) => e !== null).sort((a, b) => a.y - b.y);
    const line = 14 * ratio;
    for (let i = 1; i < ends.length; i++) ends[i]!.y = Math.max(ends[i]!.y, ends[i - 1]!.y + line);
    const over = (ends.at(-1)?.y ?? 0) - (u.bbox.top + u.bbox.height - 4 * ratio);
    if (over > 0) for (let i = ends.length - 1; i >= 0; i--) ends[i]!.y = Math.min(ends[i]!.y, i === ends.length - 1 ? ends[i]!.y - over : ends[i + 1]!.y - line);
    c.save();
    c.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    for (const e of ends) {
        c.fillStyle = e.hue;
        c.fillText(cut(e.name), u.bbox.left + u.bbox.width + 6 * ratio, e.y);
    }
    c.restore();
}

/** A colour as the browser tells it, a tenth as strong. */
const faint = (rgb: string) => rgb.replace(/^rgb\(([^)]*)\)$/, "rgba($1, 0.1)");

/** 24 hours, with the day where it begins; seconds where the steps are short. */
function hours(_u: uPlot, at: number[], _axis: number, _space: number, step: number): string[] {
    let day = "";
    return at.map((t) => {
        const d = new Date(t * 1000);
        const now = d.toDateString();
        const first = day !== "" && day !== now;
        day = now;
        if (first || step >= 86_400) return `${d.getDate()} ${MONTHS[d.getMonth()]}`;
        return clock(t * 1000).slice(0, step < 60 ? 8 : 5);
    });
}
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const cut = (name: string) => (name.length > 18 ? name.slice(0, 17) + "…" : name);

/** Samples between gaps: no line leads to them, so that each is a point. */
function lone(values: ArrayLike<number | null | undefined>): number[] {
    const there = (i: number) => values[i] !== null && values[i] !== undefined;
    return Array.from(values, (_, i) => i).filter((i) => there(i) && !there(i - 1) && !there(i + 1));
}

export function Chart(p: ChartProps) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot>();
    const [read, setRead] = useState<{ at: number; values: (number | null)[] } | null>(null);
    const id = useId();
    const isDark = dark.value;
    const say = p.say ?? ((n: number) => short(n) + (p.unit ?? ""));
    const live = useRef(p);
    live.current = p;
    const names = p.series.map((s) => s.label).join("\u0001");
    const height = p.height ?? 160;

    useEffect(() => {
        let gone = false;
        let size: ResizeObserver | undefined;
        void Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]).then(([{ default: UPlot }]) => {
            const el = box.current;
            if (gone || !el) return;
            const hues = Array.from({ length: HUES }, (_, i) => colour(`line-${i + 1}`));
            const quiet = colour("ink-3");
            const grid = { stroke: colour("rule"), width: 1 };
            const list = live.current.series;
            const direct = list.length > 1 && list.length < LABEL_FROM;
            const room = direct ? 12 + Math.max(...list.map((s) => cut(s.label).length)) * 6.4 : 8;
            const options: uPlot.Options = {
                width: el.clientWidth,
                height,
                padding: [8, room, 0, 0],
                legend: { show: false },
                cursor: { sync: { key: "page", setSeries: false }, y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
                scales: { x: { time: true, range: (_u, lo, hi) => { // one sample alone stands in the middle of a minute
                    const beside = lo === hi ? 30 : 0;
                    return [live.current.from === undefined || live.current.from === null ? lo - beside : live.current.from / 1000, live.current.to === undefined || live.current.to === null ? hi + beside : live.current.to / 1000];
                } }, y: { range: (_u, _lo, hi) => [0, Math.max(hi, 0) * 1.08 || 1] } },
                axes: [
                    { stroke: quiet, grid: { show: false }, ticks: { stroke: grid.stroke, width: 1, size: 4 }, font: "11px system-ui", size: 26, space: 70, values: hours },
                    { stroke: quiet, grid, ticks: { show: false }, font: "11px system-ui", size: (_u, vs) => Math.max(34, ...(vs ?? []).map((v) => v.length * 6.5 + 12)), values: (_u, vs) => vs.map((v) => (v === null ? "" : live.current.say ? live.current.say(v) : short(v))), space: 32 },
                ],
                series: [{}, ...list.map((s, i) => ({ label: s.label, stroke: hues[i % HUES]!, width: 1.5, points: { show: true, size: 5, filter: (u: uPlot, s: number) => lone(u.data[s]!) }, spanGaps: false, ...(live.current.fill && list.length === 1 && { fill: faint(hues[0]!) }) }))],
                hooks: {
                    draw: [(u) => direct && labels(u, list.map((s) => s.label), hues, window.devicePixelRatio || 1)],
                    setCursor: [(u) => {
                        const i = u.cursor.idx;
                        setRead(i === null || i === undefined || (u.cursor.left ?? -1) < 0 ? null : { at: u.data[0][i]! * 1000, values: u.data.slice(1).map((y) => y[i] ?? null) });
                    }],
                    setSelect: [(u) => {
                        if (u.select.width < 4) return;
                        const range = [u.posToVal(u.select.left, "x") * 1000, u.posToVal(u.select.left + u.select.width, "x") * 1000] as const;
                        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                        (live.current.zoom ?? setTimeRange)(...range);
                    }],
                },
            };
            const u = new UPlot(options, holes(live.current.times, list, live.current.gap), el);
            plot.current = u;
            size = new ResizeObserver(() => el.clientWidth && u.setSize({ width: el.clientWidth, height }));
            size.observe(el);
        });
        return () => {
            gone = true;
            size?.disconnect();
            plot.current?.destroy();
            plot.current = undefined;
        };
    }, [names, isDark, height, p.fill]);

    useEffect(() => {
        plot.current?.setData(holes(p.times, p.series, p.gap));
    }, [p.times, p.series, p.from, p.to]);

    const last = p.series.map((s) => s.values.findLast((v) => v !== null && v !== undefined) ?? null);
    const values = read?.values ?? last;
    const summary = `${p.title}: ${p.series.map((s, i) => `${s.label} ${last[i] === null || last[i] === undefined ? "no value" : say(last[i]!)}`).join(", ")}`;
    return (
        <figure class="chart" aria-labelledby={id}>
            <figcaption class="chart-head">
                <span id={id} class="chart-title">{p.title}</span>
                <span class="chart-read">
                    {p.series.length < LABEL_FROM ? p.series.map((s, i) => (
                        <span key={s.label} title={s.label}>{p.series.length > 1 && <i class={`hue hue-${(i % HUES) + 1}`} />}{p.series.length > 1 && <span class="hidden">{s.label} </span>}<b class="num live">{values[i] === null || values[i] === undefined ? "–" : say(values[i]!)}</b></span>
                    )) : null}
                    <span class="quiet num chart-at" title={read ? exact(read.at) : undefined}>{read ? clock(read.at) : ""}</span>
                </span>
            </figcaption>
            <div ref={box} class="chart-box" role="img" aria-label={summary} style={{ "--chart": `${height}px` }} />
            {p.series.length >= LABEL_FROM && (
                <ul class="chart-legend">
                    {p.series.map((s, i) => <li key={s.label}><i class={`hue hue-${(i % HUES) + 1}`} /><bdi>{s.label}</bdi> <b class="num">{values[i] === null || values[i] === undefined ? "–" : say(values[i]!)}</b></li>)}
                </ul>
            )}
            {p.times.length === 0 && <p class="chart-none quiet">No samples in this range.</p>}
        </figure>
    );
}

/** Bars of a few groups, by their length from zero. */
export function Bars({ of, title, say = count }: { of: { label: string; value: number; href?: string }[]; title: string; say?: (n: number) => string }) {
    const top = Math.max(...of.map((b) => b.value), 1e-9);
    return (
        <ul class="bars" aria-label={title}>
            {of.map((b) => (
                <li key={b.label}>
                    <bdi class="bar-label" title={b.label}>{b.href ? <a href={b.href}>{b.label}</a> : b.label}</bdi>
                    <span class="bar" aria-hidden="true"><i style={{ inlineSize: `${(Math.max(0, b.value) / top) * 100}%` }} /></span>
                    <span class="num">{say(b.value)}</span>
                </li>
            ))}
        </ul>
    );
}
