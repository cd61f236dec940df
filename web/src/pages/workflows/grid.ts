/** The grid: tasks in rows within their groups, runs in columns, a cell's state; a closed group is one row. Pure. */
import type { Cell, Node } from "./api";
import { together } from "./states";

export interface GridRow {
    id: string;
    label: string;
    depth: number;
    group: boolean;
    open: boolean;
    mapped: boolean;
    tasks: string[]; // a group's, all of them; a task's own
}

/** The tree in the order in which it runs: what waits for nobody first. */
export function inOrder(s: { nodes: readonly Node[]; edges: readonly { source_id: string; target_id: string }[] }): Node[] {
    const into = new Map<string, number>();
    const out = new Map<string, string[]>();
    for (const e of s.edges) {
        into.set(e.target_id, (into.get(e.target_id) ?? 0) + 1);
        out.set(e.source_id, [...(out.get(e.source_id) ?? []), e.target_id]);
    }
    const rank = new Map<string, number>();
    const ready = s.nodes.flatMap(tasksOf).filter((t) => !into.get(t));
    for (const t of ready) rank.set(t, 0);
    for (let t = ready.pop(); t !== undefined; t = ready.pop())
        for (const n of out.get(t) ?? []) {
            rank.set(n, Math.max(rank.get(n) ?? 0, rank.get(t)! + 1));
            into.set(n, into.get(n)! - 1);
            if (!into.get(n)) ready.push(n);
        }
    const first = (n: Node) => Math.min(...tasksOf(n).map((t) => rank.get(t) ?? 0));
    const sorted = (list: readonly Node[]): Node[] => list.map((n, i) => ({ n, i, r: first(n) })).sort((a, b) => a.r - b.r || a.i - b.i)
        .map(({ n }) => (n.children ? { ...n, children: sorted(n.children) } : n));
    return sorted(s.nodes);
}

/** Rows in the file's order, of closed groups only their own. */
export function gridRows(nodes: readonly Node[], closed: ReadonlySet<string>, depth = 0): GridRow[] {
    return nodes.flatMap((n): GridRow[] => {
        if (!n.children) return [{ id: n.id, label: n.label, depth, group: false, open: false, mapped: Boolean(n.is_mapped), tasks: [n.id] }];
        const open = !closed.has(n.id);
        const own = { id: n.id, label: n.label, depth, group: true, open, mapped: false, tasks: tasksOf(n) };
        return open ? [own, ...gridRows(n.children, closed, depth + 1)] : [own];
    });
}

export function tasksOf(n: Node): string[] {
    return n.children ? n.children.flatMap(tasksOf) : [n.id];
}

/** undefined: the run has no such task. */
export function cellState(row: GridRow, run: ReadonlyMap<string, Cell> | undefined): string | null | undefined {
    if (!run) return undefined;
    if (!row.group) return run.get(row.id) ? run.get(row.id)!.state : undefined;
    const states: (string | null)[] = [];
    for (const t of row.tasks) {
        const c = run.get(t);
        if (c) states.push(c.state);
    }
    return together(states);
}

/** Which of `total` columns of `width` stand in sight, with some `beside` them; by steps of so many, and always as many
 * in the same room, so that each that comes finds the place of one that has left. */
export function inSight(total: number, width: number, scroll: number, room: number, step = 8, beside = 4): [number, number] {
    const count = (Math.ceil(room / width / step) + 1) * step + 2 * beside;
    const last = Math.max(0, Math.ceil(total / step) * step - count);
    const from = Math.min(last, Math.max(0, Math.floor(scroll / width / step) * step - beside));
    return [Math.min(from, total), Math.min(total, from + count)];
}

/** The numbers from..to in the order of their places in a ring of so many: what comes into sight takes the place, and the
 * elements, of what has left it, and the others stay where they are. */
export function inRing(from: number, to: number, places: number): number[] {
    const all = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
    return all.sort((a, b) => (a % places) - (b % places));
}

/** How tall a run's bar is, by its duration: 3 to `most` pixels, by the longest of them. */
export function barHeight(seconds: number | null, longest: number, most: number): number {
    if (seconds === null || longest <= 0) return 3;
    return Math.max(3, Math.round((seconds / longest) * most));
}
