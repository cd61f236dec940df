/** What the last epochs did, in Spark's words: rates, durations, state, the watermark's distance. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Chart, Clock, Command, Empty, Failed, Section, Table, count, duration, shell, toMs, useGet } from "../../kit";
import type { Progress } from "./shape";

const KEPT = 1200;

/** The server's last hundred epochs, and each one that it tells from then on. */
export function useProgress(name: string, last: Progress | null | undefined) {
    const got = useGet<Progress[]>(`streams/${encodeURIComponent(name)}/progress`);
    const seen = useRef<Progress[]>([]);
    const [turn, setTurn] = useState(0);
    useEffect(() => {
        if (got.value) seen.current = got.value.slice();
        setTurn((t) => t + 1);
    }, [got.value]);
    useEffect(() => {
        const list = seen.current;
        if (!last || (list.length && last.batchId <= list[list.length - 1]!.batchId)) return;
        list.push(last);
        if (list.length > KEPT) list.splice(0, list.length - KEPT);
        setTurn((t) => t + 1);
    }, [last?.batchId]);
    return { list: seen.current, turn, got };
}

export function ProgressHistory({ name, last }: { name: string; last: Progress | null | undefined }) {
    const { list, got } = useProgress(name, last);
    if (got.problem) return <Failed problem={got.problem} retry={got.reload} />;
    if (got.value && !list.length) return <Empty title="No epoch yet.">Each commit would be shown here: how many records it took, how long, and what is remembered after it.</Empty>;
    const times = list.map((p) => toMs(p.timestamp)!);
    const gap = list.map((p) => (p.eventTime.watermark ? (toMs(p.timestamp)! - toMs(p.eventTime.watermark)!) / 1000 : null));
    return (
        <div class="stack">
            <div class="charts">
                <Chart title="Input and process rate" unit="/s" times={times} series={[{ label: "input", values: list.map((p) => p.inputRowsPerSecond) }, { label: "process", values: list.map((p) => p.processedRowsPerSecond) }]} />
                <Chart title="Input rows a batch" times={times} series={[{ label: "rows", values: list.map((p) => p.numInputRows) }]} />
                <Chart title="Batch duration" times={times} say={(n) => duration(n)} series={[{ label: "batch", values: list.map((p) => p.batchDuration) }]} />
                <Chart title="Operation duration" times={times} say={(n) => duration(n)} series={[{ label: "add batch", values: list.map((p) => p.durationMs.addBatch) }, { label: "commit", values: list.map((p) => p.durationMs.commitOffsets) }]} />
                {gap.some((g) => g !== null) && <Chart title="Watermark behind the clock" unit=" s" times={times} series={[{ label: "gap", values: gap }]} />}
                {list.some((p) => p.stateOperators.length) && <Chart title="State rows" times={times} series={[{ label: "rows", values: list.map((p) => p.stateOperators.reduce((a, o) => a + o.numRowsTotal, 0)) }]} />}
            </div>
            <Section title="Epochs" note="the newest first; from the server's last hundred on" acts={<Command text={`sluice streams --recent ${shell(name)}`} quiet />}>
                <Table id="epochs" label="Epochs" filter={false} height="320px" rows={[...list].reverse()} rowKey={(p) => String(p.batchId)} columns={[
                    { key: "batch", title: "Batch", of: (p) => p.batchId, cell: (p) => <span class="num">{count(p.batchId)}</span>, right: true, width: "96px" },
                    { key: "at", title: "Time", of: (p) => p.timestamp, cell: (p) => <Clock at={p.timestamp} />, width: "96px" },
                    { key: "in", title: "Rows in", of: (p) => p.numInputRows, right: true, width: "96px" },
                    { key: "out", title: "Rows out", of: (p) => p.sink.numOutputRows, right: true, width: "96px" },
                    { key: "took", title: "Took", of: (p) => p.batchDuration, cell: (p) => <span class="num">{duration(p.batchDuration)}</span>, right: true, width: "88px" },
                    { key: "commit", title: "Commit", of: (p) => p.durationMs.commitOffsets, cell: (p) => <span class="num">{duration(p.durationMs.commitOffsets)}</span>, right: true, width: "88px", wide: true },
                    { key: "mark", title: "Watermark", of: (p) => p.eventTime.watermark ?? null, wide: true },
                ]} />
            </Section>
        </div>
    );
}
