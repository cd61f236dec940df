/** Places the boxes of a graph in layers, so that edges point one way and cross seldom: the overview's picture, a
 * dag's graph, a stream's plan. Groups are laid out from inside: a group is a box that holds its own graph, and an
 * edge into it ends at the box. Pure; what is asked for is answered the same each time. */
export interface LayoutNode {
    id: string;
    width: number;
    height: number;
    parent?: string | null; // the group it stands in; a group's own width and height are made here
    group?: boolean;
    head?: number; // of a group: room for its title
    rank?: number; // its layer at least, where edges alone do not say it
}
export interface LayoutEdge {
    from: string;
    to: string;
}
export interface Placed {
    id: string;
    x: number; // left, top
    y: number;
    width: number;
    height: number;
    layer: number;
}
export interface Routed {
    from: string; // as given
    to: string;
    ends: [string, string]; // the boxes it joins: groups, where its ends stand within
    points: [number, number][];
}
export interface Layout {
    width: number;
    height: number;
    nodes: Map<string, Placed>;
    edges: Routed[];
}
export interface LayoutOptions {
    gap?: number; // between boxes of a layer
    layerGap?: number; // between layers
    pad?: number; // within a group, around what it holds
    down?: boolean; // layers from top to bottom; else from left to right
}

interface Box {
    id: string;
    layer: number;
    size: number; // across: in a layer's direction
    depth: number; // along the edges
    at: number; // middle, across
    back: number[];
    next: number[];
    dummy: boolean;
}

const SWEEPS = 12;

/** Longest paths from what nobody points at; edges that would close a circle are turned round. */
function layersOf(ids: string[], edges: LayoutEdge[], least: Map<string, number>): { layer: Map<string, number>; straight: LayoutEdge[] } {
    const out = new Map<string, string[]>(ids.map((id) => [id, []]));
    for (const e of edges) out.get(e.from)!.push(e.to);
    const mark = new Map<string, 1 | 2>(); // on the way, done
    const order: string[] = [];
    const turned = new Set<string>();
    for (const root of ids) {
        if (mark.has(root)) continue;
        const stack: { id: string; n: number }[] = [{ id: root, n: 0 }];
        mark.set(root, 1);
        while (stack.length) {
            const top = stack[stack.length - 1]!;
            const next = out.get(top.id)![top.n++];
            if (next === undefined) {
                mark.set(top.id, 2);
                order.push(top.id);
                stack.pop();
            } else if (mark.get(next) === 1) turned.add(top.id + "\0" + next);
            else if (!mark.has(next)) {
                mark.set(next, 1);
                stack.push({ id: next, n: 0 });
            }
        }
    }
    const straight = edges.map((e) => (turned.has(e.from + "\0" + e.to) ? { from: e.to, to: e.from } : e));
    const into = new Map<string, string[]>(ids.map((id) => [id, []]));
    for (const e of straight) into.get(e.to)!.push(e.from);
    const layer = new Map<string, number>();
    // the reversed order in which a walk left them is an order that edges follow, but for those turned round
    for (let pass = 0; pass < (turned.size ? ids.length : 1); pass++) {
        let moved = false;
        for (const id of [...order].reverse()) {
            const at = Math.max(least.get(id) ?? 0, ...into.get(id)!.map((f) => (layer.get(f) ?? 0) + 1));
            if (layer.get(id) !== at) {
                layer.set(id, at);
                moved = true;
            }
        }
        if (!moved) break;
    }
    return { layer, straight };
}

function crossings(layers: number[][], boxes: Box[], place: number[]): number {
    let n = 0;
    for (const layer of layers) {
        const ends: number[] = [];
        for (const b of layer) for (const to of [...boxes[b]!.next].sort((a, c) => place[a]! - place[c]!)) ends.push(place[to]!);
        // how many pairs are out of order: counted while they are put in order
        const sorted: number[] = [];
        for (const e of ends) {
            let lo = 0;
            let hi = sorted.length;
            while (lo < hi) {
                const mid = (lo + hi) >> 1;
                if (sorted[mid]! <= e) lo = mid + 1;
                else hi = mid;
            }
            n += sorted.length - lo;
            sorted.splice(lo, 0, e);
        }
    }
    return n;
}

/** Boxes of a layer in an order with few crossings: by the mean place of their neighbours, back and forth. */
function orderLayers(layers: number[][], boxes: Box[]): number[][] {
    const place = new Array<number>(boxes.length).fill(0);
    const settle = (list: number[][]) => list.forEach((l) => l.forEach((b, i) => (place[b] = i)));
    settle(layers);
    let best = layers.map((l) => [...l]);
    let least = crossings(layers, boxes, place);
    const now = layers.map((l) => [...l]);
    for (let sweep = 0; sweep < SWEEPS && least > 0; sweep++) {
        const down = sweep % 2 === 0;
        const walk = down ? now.keys() : [...now.keys()].reverse();
        for (const l of walk) {
            const mean = new Map<number, number>();
            for (const b of now[l]!) {
                const near = down ? boxes[b]!.back : boxes[b]!.next;
                mean.set(b, near.length ? near.reduce((a, n) => a + place[n]!, 0) / near.length : place[b]!);
            }
            now[l]!.sort((a, b) => mean.get(a)! - mean.get(b)! || place[a]! - place[b]!);
            now[l]!.forEach((b, i) => (place[b] = i));
        }
        const n = crossings(now, boxes, place);
        if (n < least) {
            least = n;
            best = now.map((l) => [...l]);
        }
    }
    return best;
}

/** Each box as near to the middle of its neighbours as its layer's order lets it. */
function across(layers: number[][], boxes: Box[], gap: number): void {
    const room = (a: Box, b: Box) => (a.size + b.size) / 2 + (a.dummy && b.dummy ? gap / 2 : gap);
    for (const l of layers) {
        let at = 0;
        l.forEach((b, i) => {
            at = i ? at + room(boxes[l[i - 1]!]!, boxes[b]!) : 0;
            boxes[b]!.at = at;
        });
        const shift = at / 2;
        for (const b of l) boxes[b]!.at -= shift;
    }
    for (let turn = 0; turn < 2 * SWEEPS; turn++) {
        const down = turn % 2 === 0;
        for (const l of down ? layers : [...layers].reverse()) {
            const wish = l.map((b) => {
                const near = down ? boxes[b]!.back : boxes[b]!.next;
                return near.length ? near.reduce((a, n) => a + boxes[n]!.at, 0) / near.length : boxes[b]!.at;
            });
            // runs of boxes that touch move as one, to the mean of what each of them wishes
            const runs: { from: number; to: number; sum: number; offset: number[] }[] = [];
            l.forEach((_, i) => {
                runs.push({ from: i, to: i, sum: wish[i]!, offset: [0] });
                while (runs.length > 1) {
                    const b = runs[runs.length - 1]!;
                    const a = runs[runs.length - 2]!;
                    const need = room(boxes[l[a.to]!]!, boxes[l[b.from]!]!);
                    const aEnd = a.sum / (a.to - a.from + 1) + a.offset[a.offset.length - 1]!;
                    if (b.sum / (b.to - b.from + 1) - aEnd >= need - 1e-6) break;
                    const start = a.offset[a.offset.length - 1]! + need;
                    runs.pop();
                    runs.pop();
                    const size = b.to - b.from + 1;
                    runs.push({ from: a.from, to: b.to, sum: a.sum + b.sum - start * size, offset: [...a.offset, ...b.offset.map((o) => o + start)] });
                }
            });
            for (const r of runs) r.offset.forEach((o, i) => (boxes[l[r.from + i]!]!.at = r.sum / (r.to - r.from + 1) + o));
        }
    }
}

interface Flat {
    width: number;
    height: number;
    at: Map<string, { x: number; y: number; layer: number }>;
    lines: { edge: LayoutEdge; points: [number, number][] }[];
}

/** One level: boxes whose size is known. */
function flat(nodes: LayoutNode[], edges: LayoutEdge[], o: Required<LayoutOptions>): Flat {
    const ids = nodes.map((n) => n.id);
    const { layer, straight } = layersOf(ids, edges, new Map(nodes.map((n) => [n.id, n.rank ?? 0])));
    const boxes: Box[] = nodes.map((n) => ({
        id: n.id, layer: layer.get(n.id)!, size: o.down ? n.width : n.height, depth: o.down ? n.height : n.width, at: 0, back: [], next: [], dummy: false,
    }));
    const index = new Map(ids.map((id, i) => [id, i]));
    const chains: number[][] = straight.map((e) => {
        const chain = [index.get(e.from)!];
        for (let l = layer.get(e.from)! + 1; l < layer.get(e.to)!; l++) {
            boxes.push({ id: "", layer: l, size: 2, depth: 0, at: 0, back: [], next: [], dummy: true });
            chain.push(boxes.length - 1);
        }
        chain.push(index.get(e.to)!);
        for (let i = 1; i < chain.length; i++) {
            boxes[chain[i - 1]!]!.next.push(chain[i]!);
            boxes[chain[i]!]!.back.push(chain[i - 1]!);
        }
        return chain;
    });
    const layers: number[][] = [];
    boxes.forEach((b, i) => (layers[b.layer] ??= []).push(i));
    for (let l = 0; l < layers.length; l++) layers[l] ??= [];
    const ordered = orderLayers(layers, boxes);
    across(ordered, boxes, o.gap);
    const depth = ordered.map((l) => Math.max(0, ...l.map((b) => boxes[b]!.depth)));
    const start = depth.map((_, i) => depth.slice(0, i).reduce((a, d) => a + d + o.layerGap, 0));
    const low = Math.min(0, ...boxes.map((b) => b.at - b.size / 2));
    const middle = (b: Box): [number, number] => {
        const along = start[b.layer]! + depth[b.layer]! / 2;
        return o.down ? [b.at - low, along] : [along, b.at - low];
    };
    const at = new Map<string, { x: number; y: number; layer: number }>();
    nodes.forEach((n, i) => {
        const [x, y] = middle(boxes[i]!);
        at.set(n.id, { x: x - n.width / 2, y: y - n.height / 2, layer: boxes[i]!.layer });
    });
    const size = Math.max(0, ...boxes.map((b) => b.at + b.size / 2)) - low;
    const length = depth.length ? start[depth.length - 1]! + depth[depth.length - 1]! : 0;
    const lines = edges.map((edge, i) => {
        const chain = chains[i]!.map((b) => boxes[b]!);
        const points = chain.map(middle);
        const first = chain[0]!;
        const last = chain[chain.length - 1]!;
        const move = (p: [number, number], by: number): [number, number] => (o.down ? [p[0], p[1] + by] : [p[0] + by, p[1]]);
        points[0] = move(points[0]!, first.depth / 2);
        points[points.length - 1] = move(points[points.length - 1]!, -last.depth / 2);
        // through a wide layer straight on, so that the line does not cut its boxes
        const wide = chain.flatMap((b, n): [number, number][] => {
            const p = points[n]!;
            if (!b.dummy || depth[b.layer]! < 8) return [p];
            return [move(p, -depth[b.layer]! / 2), move(p, depth[b.layer]! / 2)];
        });
        return { edge, points: straight[i] === edge ? wide : wide.reverse() };
    });
    return { width: o.down ? size : length, height: o.down ? length : size, at, lines };
}

/** The whole: groups from inside out. */
export function layout(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], options: LayoutOptions = {}): Layout {
    const o = { gap: 24, layerGap: 64, pad: 16, down: false, ...options };
    const known = new Map(nodes.map((n) => [n.id, { ...n }]));
    const parentOf = (id: string) => {
        const p = known.get(id)?.parent;
        return p && known.has(p) ? p : "";
    };
    const inside = new Map<string, LayoutNode[]>([["", []]]);
    for (const n of known.values()) if (n.group) inside.set(n.id, []);
    for (const n of known.values()) inside.get(inside.has(parentOf(n.id)) ? parentOf(n.id) : "")!.push(n);
    const above = (id: string): string[] => {
        const list = [id];
        for (let p = parentOf(id); p && list.length < 100; p = parentOf(p)) list.push(p);
        return list;
    };
    // each edge belongs to the innermost group that holds both its ends, and joins two boxes there
    const ofGroup = new Map<string, { edge: LayoutEdge; joins: LayoutEdge }[]>();
    for (const edge of edges) {
        if (!known.has(edge.from) || !known.has(edge.to) || edge.from === edge.to) continue;
        const a = above(edge.from).reverse();
        const b = above(edge.to).reverse();
        let n = 0;
        while (n < a.length && n < b.length && a[n] === b[n]) n++;
        if (n >= a.length || n >= b.length) continue; // a group and what it holds
        const home = n ? a[n - 1]! : "";
        if (!ofGroup.has(home)) ofGroup.set(home, []);
        ofGroup.get(home)!.push({ edge, joins: { from: a[n]!, to: b[n]! } });
    }
    const done = new Map<string, Flat>();
    const lay = (group: string): Flat => {
        const members = inside.get(group)!;
        for (const m of members) {
            if (!inside.has(m.id)) continue;
            const f = lay(m.id);
            m.width = Math.max(m.width, f.width + 2 * o.pad);
            m.height = Math.max(m.height, f.height + 2 * o.pad + (m.head ?? 0));
        }
        const once = new Map<string, LayoutEdge>();
        for (const e of ofGroup.get(group) ?? []) once.set(e.joins.from + "\0" + e.joins.to, e.joins);
        const f = flat(members, [...once.values()], o);
        done.set(group, f);
        return f;
    };
    const whole = lay("");
    const out: Layout = { width: whole.width, height: whole.height, nodes: new Map(), edges: [] };
    const settle = (group: string, x: number, y: number) => {
        const f = done.get(group)!;
        const lines = new Map(f.lines.map((l) => [l.edge.from + "\0" + l.edge.to, l.points]));
        for (const e of ofGroup.get(group) ?? [])
            out.edges.push({
                from: e.edge.from, to: e.edge.to, ends: [e.joins.from, e.joins.to],
                points: lines.get(e.joins.from + "\0" + e.joins.to)!.map(([px, py]): [number, number] => [px + x, py + y]),
            });
        for (const m of inside.get(group)!) {
            const p = f.at.get(m.id)!;
            out.nodes.set(m.id, { id: m.id, x: p.x + x, y: p.y + y, width: m.width, height: m.height, layer: p.layer });
            if (!inside.has(m.id)) continue;
            const inner = done.get(m.id)!;
            settle(m.id, p.x + x + (m.width - inner.width) / 2, p.y + y + (m.head ?? 0) + (m.height - (m.head ?? 0) - inner.height) / 2);
        }
    };
    settle("", 0, 0);
    return out;
}

/** An edge as an SVG path: soft curves from point to point, along the edges' way. */
export function curve(points: readonly [number, number][], down = false): string {
    const f = (n: number) => Number(n.toFixed(1));
    let d = "";
    points.forEach(([x, y], i) => {
        const before = points[i - 1];
        if (!before) d = `M${f(x)} ${f(y)}`;
        else if (down) {
            const m = (before[1] + y) / 2;
            d += `C${f(before[0])} ${f(m)} ${f(x)} ${f(m)} ${f(x)} ${f(y)}`;
        } else {
            const m = (before[0] + x) / 2;
            d += `C${f(m)} ${f(before[1])} ${f(m)} ${f(y)} ${f(x)} ${f(y)}`;
        }
    });
    return d;
}
