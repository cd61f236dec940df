/** What numbers were: GET /history for a component, asked again every ten seconds while the tab is seen. */
import { useEffect } from "preact/hooks";
import { useGet } from "./api";
import { timeRange } from "./page";

export interface Past {
    metric: string;
    times: number[]; // milliseconds
    values: (number | null)[];
}
interface Told {
    series: { part: string; metric: string; step_ms: number; from: string; values: (number | null)[] }[];
}
const AGAIN_MS = 10_000;

/** The metrics of a part ("topic:users", "group:g") over the page's time range. */
export function useHistory(part: string, fallback = "15m"): { of: (metric: string) => Past; all: Past[]; from: number | null; to: number | null } {
    const range = timeRange(fallback);
    const back = range.from === null ? range.span : Date.now() - range.from;
    const seconds = Math.max(60, Math.min(86_400, Math.ceil(back / 60_000) * 60));
    const got = useGet<Told>("history", { part, seconds });
    useEffect(() => {
        const t = setInterval(() => !document.hidden && got.reload(), AGAIN_MS);
        return () => clearInterval(t);
    }, [got.reload]);
    const all = (got.value?.series ?? []).map((s) => {
        const from = Date.parse(s.from);
        return { metric: s.metric, values: s.values, times: s.values.map((_, i) => from + i * s.step_ms) };
    });
    return { all, from: range.from, to: range.to, of: (metric) => all.find((s) => s.metric === metric) ?? { metric, times: [], values: [] } };
}
