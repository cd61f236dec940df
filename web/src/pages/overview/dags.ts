/** How each dag's newest run went: asked of the workflows' own API when their channel tells of a change. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, useLive } from "../../kit";
import type { Part } from "./shape";

interface Answer {
    dags: { dag_id: string; is_paused: boolean; latest_dag_runs: { state: string }[] }[];
}
const AGAIN_MS = 1000; // a busy scheduler changes more often than anybody looks

/** State by dag: its newest run's while that runs or has failed; "paused" where nothing starts; else nothing to say. */
function states(of: Answer): Map<string, string> {
    return new Map(of.dags.map((d) => {
        const last = d.latest_dag_runs[0]?.state ?? "";
        return [d.dag_id, last && last !== "success" ? last : d.is_paused ? "paused" : ""];
    }));
}

export function useDags(any: boolean): Map<string, string> {
    const changed = useLive<unknown>(any ? "dags" : null).value;
    const [known, setKnown] = useState(new Map<string, string>());
    const asked = useRef(0);
    useEffect(() => {
        if (!any || changed === undefined) return undefined;
        const stop = new AbortController();
        const t = setTimeout(async () => {
            asked.current = Date.now();
            const got = await api.get<Answer>("/ui/dags", { dag_runs_limit: 1, limit: 1000, order_by: "dag_id" }, stop.signal);
            if (got.ok) setKnown(states(got.value)); // one that can not be told keeps what was known of it
        }, Math.max(0, asked.current + AGAIN_MS - Date.now()));
        return () => {
            clearTimeout(t);
            stop.abort();
        };
    }, [any, changed]);
    return known;
}

export function withDags(parts: Part[], known: Map<string, string>): Part[] {
    return parts.map((p) => (p.kind === "dag" && known.get(p.name) ? { ...p, state: known.get(p.name)! } : p));
}
