/** Where each part stands: the pipeline in layers from left to right, dags in a row above what they lead, and what
 * nothing leads to or from apart. Pure. */
import { curve, layout } from "../../kit/layout"; // not the whole kit: tests run without a window
import type { Picture } from "./shape";

export interface Spot {
    id: string;
    x: number;
    y: number;
    width: number;
    height: number;
}
export interface Line {
    from: string;
    to: string;
    d: string;
    above: boolean; // from a dag
}
export interface Drawing {
    width: number;
    height: number;
    spots: Spot[]; // in the order in which they are read: by layer, from the top
    lines: Line[];
    apart: string[]; // parts that no line touches
}

export const HEIGHT = 68;
const GAP = 16;
const ABOVE = 64; // between the dags and what they lead
const NARROW = 148;
const WIDE = 232;

/** As wide as the room allows for so many layers. */
function widthFor(room: number, layers: number): { box: number; gap: number } {
    const gap = layers > 1 ? Math.min(72, Math.max(28, (room - layers * 176) / (layers - 1))) : 72;
    const box = layers ? (room - gap * (layers - 1)) / layers : WIDE;
    return { box: Math.floor(Math.min(WIDE, Math.max(NARROW, box))), gap };
}

/** Dags side by side above the middle of what each leads, moved apart where they would touch. */
function above(dags: string[], edges: [string, string][], at: Map<string, Spot>, box: number): Map<string, number> {
    const wish = dags.map((id) => {
        const ends = edges.filter(([f]) => f === id).map(([, t]) => at.get(t)).filter((s) => s !== undefined);
        return { id, x: ends.length ? ends.reduce((a, s) => a + s.x, 0) / ends.length : Infinity };
    }).sort((a, b) => a.x - b.x || (a.id < b.id ? -1 : 1));
    const out = new Map<string, number>();
    let free = 0;
    for (const w of wish) {
        const x = Math.max(free, Number.isFinite(w.x) ? w.x : free);
        out.set(w.id, x);
        free = x + box + GAP;
    }
    return out;
}

/** Down, across between the dags and what they lead, and down again. */
function bent(x1: number, y1: number, x2: number, y2: number): string {
    const lane = HEIGHT + ABOVE / 2;
    const r = Math.min(8, Math.abs(x2 - x1) / 2);
    if (r < 1) return `M${x1} ${y1}V${y2}`;
    const s = Math.sign(x2 - x1) * r;
    return `M${x1} ${y1}V${lane - r}Q${x1} ${lane} ${x1 + s} ${lane}H${x2 - s}Q${x2} ${lane} ${x2} ${lane + r}V${y2}`;
}

export function draw(picture: Picture, room: number): Drawing {
    const known = new Set(picture.parts.map((p) => p.id));
    const edges = picture.edges.filter(([f, t]) => known.has(f) && known.has(t));
    const touched = new Set(edges.flat());
    const dags = picture.parts.filter((p) => p.kind === "dag").map((p) => p.id);
    const isDag = new Set(dags);
    const flow = edges.filter(([f]) => !isDag.has(f));
    const joined = new Set(flow.flat());
    for (const [f, t] of edges) if (isDag.has(f)) joined.add(t);
    const inFlow = picture.parts.filter((p) => joined.has(p.id) && p.kind !== "dag");
    const nodes = (width: number) => inFlow.map((p) => ({ id: p.id, width, height: HEIGHT }));
    const lines = flow.filter(([, t]) => !isDag.has(t)).map(([from, to]) => ({ from, to }));
    const probe = layout(nodes(100), lines, { gap: GAP, layerGap: 10 });
    const layers = 1 + Math.max(-1, ...[...probe.nodes.values()].map((n) => n.layer));
    const { box, gap } = widthFor(room, layers);
    const placed = layout(nodes(box), lines, { gap: GAP, layerGap: gap });
    const top = dags.length ? HEIGHT + ABOVE : 0;
    const at = new Map<string, Spot>();
    for (const n of [...placed.nodes.values()].sort((a, b) => a.layer - b.layer || a.y - b.y)) at.set(n.id, { id: n.id, x: n.x, y: n.y + top, width: n.width, height: n.height });
    const dagAt = above(dags, edges, at, box);
    const dagSpots = [...dagAt].map(([id, x]) => ({ id, x, y: 0, width: box, height: HEIGHT }));
    const out: Line[] = placed.edges.map((e) => ({ from: e.from, to: e.to, d: curve(e.points.map(([x, y]) => [x, y + top])), above: false }));
    for (const [from, to] of edges) {
        const end = at.get(to);
        const x = dagAt.get(from);
        if (!isDag.has(from) || !end || x === undefined) continue;
        out.push({ from, to, d: bent(x + box / 2, HEIGHT, end.x + box / 2, end.y), above: true });
    }
    const spots = [...dagSpots, ...at.values()];
    return {
        width: Math.ceil(Math.max(0, ...spots.map((s) => s.x + s.width))),
        height: Math.ceil(Math.max(0, ...spots.map((s) => s.y + s.height))),
        spots,
        lines: out,
        apart: picture.parts.filter((p) => !touched.has(p.id) && p.kind !== "dag").map((p) => p.id),
    };
}
