/** A run in time: a bar a task instance, from when it was queued over its start to its end. Pure. */
import type { Instance } from "./api";

export interface GanttBar {
    id: string;
    label: string;
    state: string | null;
    index: number;
    task: string;
    wait: [number, number] | null; // milliseconds from the beginning
    run: [number, number] | null;
    tries: number;
}
export interface Gantt {
    from: number; // milliseconds since 1970
    span: number;
    bars: GanttBar[];
    ticks: number[]; // milliseconds from the beginning
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 144e5, 216e5, 432e5, 864e5, 1728e5, 6048e5];

/** At most `most` marks, at round times. */
export function ticks(span: number, most = 5): number[] {
    const step = STEPS.find((s) => span / s <= most) ?? Math.ceil(span / most);
    const list: number[] = [];
    for (let t = 0; t <= span; t += step) list.push(t);
    return list;
}

const ms = (t: string | null) => (t ? Date.parse(t) : NaN);

/** Tasks by when they began; one that runs ends now; what has not begun stands below, without a bar. */
export function gantt(instances: readonly Instance[], now: number): Gantt {
    const starts = instances.flatMap((i) => [ms(i.queued_when), ms(i.start_date)]).filter(Number.isFinite);
    const from = starts.length ? Math.min(...starts) : now;
    const bars = instances.map((i): GanttBar => {
        const start = ms(i.start_date);
        const end = i.end_date ? ms(i.end_date) : Number.isFinite(start) ? Math.max(now, start) : NaN;
        const queued = ms(i.queued_when);
        // of another try than the one shown, a start may stand before its queue
        const waited = Number.isFinite(queued) && (!Number.isFinite(start) || queued < start);
        return {
            id: `${i.task_id}\0${i.map_index}`, task: i.task_id, index: i.map_index, label: i.map_index >= 0 ? `${i.task_id} [${i.rendered_map_index ?? i.map_index}]` : i.task_id,
            state: i.state, tries: i.try_number,
            wait: waited ? [queued - from, (Number.isFinite(start) ? start : now) - from] : null,
            run: Number.isFinite(start) ? [start - from, end - from] : null,
        };
    });
    const begin = (b: GanttBar) => b.wait?.[0] ?? b.run?.[0] ?? Infinity;
    bars.sort((a, b) => begin(a) - begin(b) || (a.run?.[0] ?? Infinity) - (b.run?.[0] ?? Infinity) || (a.label < b.label ? -1 : 1));
    const span = Math.max(1, ...bars.flatMap((b) => [b.run?.[1] ?? 0, b.wait?.[1] ?? 0]));
    return { from, span, bars, ticks: ticks(span) };
}
