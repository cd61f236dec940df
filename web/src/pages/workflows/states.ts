/** States of runs and tasks: which stands for several, and what is over. Pure. */
export const RANK = ["failed", "upstream_failed", "up_for_retry", "up_for_reschedule", "queued", "scheduled", "deferred", "running", "restarting", "none", "success", "skipped", "removed"];
const OVER = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);

export function over(state: string | null | undefined): boolean {
    return OVER.has(state ?? "");
}

/** "up for retry" */
export function word(state: string | null | undefined): string {
    return (state ?? "no state").replaceAll("_", " ");
}

/** The one that stands for all, by Airflow's order; undefined: there is none. */
export function together(states: Iterable<string | null>): string | null | undefined {
    let best = Infinity;
    for (const s of states) best = Math.min(best, RANK.indexOf(s ?? "none"));
    return Number.isFinite(best) ? (RANK[best] === "none" ? null : RANK[best]) : undefined;
}

/** "2 failed, 31 success": the worst first. */
export function tally(counts: Record<string, number>): string {
    return RANK.filter((s) => counts[s]).map((s) => `${counts[s]} ${word(s === "none" ? null : s)}`).join(", ");
}
