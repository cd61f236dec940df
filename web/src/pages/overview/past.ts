/** What each part's rate was, a sample every two seconds, for the small lines; kept while the tab lives. */
import { signal } from "@preact/signals";
import { link } from "../../kit";
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

export function startPast(): () => void {
    const t = setInterval(take, EVERY_MS);
    return () => clearInterval(t);
}
