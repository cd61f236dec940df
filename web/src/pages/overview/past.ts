/** What each part's rate was, a sample every two seconds, for the small lines: the server's memory, then what comes. */
import { signal } from "@preact/signals";
import { api, link } from "../../kit";
import type { Picture } from "./shape";

const KEPT = 60;
const EVERY_MS = 2000;
const past = new Map<string, (number | null)[]>();
/** Changes with each sample. */
export const beat = signal(0);
let last: Picture | undefined;

export function sample(picture: Picture): void {
    const first = last === undefined;
    last = picture;
    if (first) take();
}

/** A gap where the server was not there: old rates are not told as new ones. */
function take(): void {
    if (!last || document.hidden) return;
    const gone = link.peek().state === "lost";
    const now = new Map(last.parts.map((p) => [p.id, p.rate]));
    for (const id of past.keys()) if (!now.has(id)) past.delete(id);
    for (const [id, rate] of now) {
        const list = past.get(id) ?? [];
        list.push(gone ? null : rate);
        if (list.length > KEPT) list.shift();
        past.set(id, list);
    }
    beat.value++;
}

export function rates(id: string): (number | null)[] {
    const list = past.get(id) ?? [];
    return [...Array.from({ length: KEPT - list.length }, () => null), ...list];
}

interface History {
    series: { part: string; metric: string; step_ms: number; from: string; values: (number | null)[] }[];
}

/** What the server remembers of the last two minutes stands before what this tab has seen. */
async function recall(): Promise<void> {
    const got = await api.get<History>("history", { metric: "rate", seconds: (KEPT * EVERY_MS) / 1000 });
    if (!got.ok) return; // the lines begin now, then
    for (const s of got.value.series) if (s.step_ms === EVERY_MS) past.set(s.part, s.values.slice(-KEPT));
    beat.value++;
}

export function startPast(): () => void {
    void recall();
    const t = setInterval(take, EVERY_MS);
    return () => clearInterval(t);
}
