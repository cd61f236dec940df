/** What numbers were, and are: GET /history once, then the channel that tells each sample as it is taken. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useGet } from "./api";
import { encodeWord } from "./channel";
import { listen } from "./live";
import { timeRange } from "./page";
import { extend, grown, type Grown, type Series } from "./series";

export interface Past {
    metric: string;
    times: number[]; // milliseconds
    values: (number | null)[];
}
interface Told {
    series: Series[];
}
const SAMPLE_MS = 2000;
const GAP_MS = 5 * SAMPLE_MS;

const keyOf = (s: Series) => `${s.part}\n${s.metric}`;

/** All series of a part, or of a metric, as far back as that; growing while they are looked at. */
export function useSeries(word: "part" | "metric", name: string, seconds: number): Series[] {
    const got = useGet<Told>("history", { [word]: name, seconds });
    const [all, setAll] = useState<Map<string, Grown>>(new Map());
    const heard = useRef(0); // the time behind the last sample that came
    const known = useRef<Set<string>>(); // what GET told of
    const reload = got.reload;
    useEffect(() => {
        heard.current = 0;
        known.current = undefined;
        setAll(new Map());
    }, [word, name]);
    useEffect(() => {
        const now = Date.now();
        if (!got.value) return;
        known.current = new Set(got.value.series.map(keyOf));
        setAll(new Map(got.value.series.map((s) => [keyOf(s), grown(s, now, SAMPLE_MS)])));
    }, [got.value]);
    useEffect(() => listen<Partial<Told>>(`history:${word}=${encodeWord(name)}`, ({ series }) => {
        const first = series?.[0];
        if (!first) return;
        const from = Date.parse(first.from);
        const gap = heard.current && from > heard.current + GAP_MS; // the tab was not seen, or the server was away
        if (gap || (known.current && series.some((s) => !known.current!.has(keyOf(s))))) reload();
        heard.current = from + first.values.length * first.step_ms;
        setAll((were) => {
            const next = new Map(were);
            for (const s of series) {
                const was = next.get(keyOf(s));
                if (was) next.set(keyOf(s), extend(was, s, Math.ceil((seconds * 1000) / was.of.step_ms) + 1));
            }
            return next;
        });
    }), [word, name, seconds, reload]);
    return useMemo(() => [...all.values()].map((g) => g.of), [all]);
}

/** The metrics of a part ("topic:users", "group:g") over the page's time range. */
export function useHistory(part: string, fallback = "15m"): { of: (metric: string) => Past; all: Past[]; from: number | null; to: number | null } {
    const range = timeRange(fallback);
    const back = range.from === null ? range.span : Date.now() - range.from;
    const seconds = Math.max(60, Math.min(86_400, Math.ceil(back / 60_000) * 60));
    const series = useSeries("part", part, seconds);
    const all = useMemo(() => series.map((s) => {
        const from = Date.parse(s.from);
        return { metric: s.metric, values: s.values, times: s.values.map((_, i) => from + i * s.step_ms) };
    }), [series]);
    return { all, from: range.from, to: range.to, of: (metric) => all.find((s) => s.metric === metric) ?? { metric, times: [], values: [] } };
}
