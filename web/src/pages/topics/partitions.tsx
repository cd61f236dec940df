/** How fast records come, over time, and each partition's offsets. */
import { useState } from "preact/hooks";
import { Button, Chart, Confirm, Input, Num, Section, Table, TimeRange, api, bytes, count, may, plural, shell, toast, useHistory, type Column } from "../../kit";
import { type Partition, type Topic } from "./shape";

const COLUMNS: Column<Partition>[] = [
    { key: "partition", title: "Partition", of: (p) => p.partition, width: "80px" },
    { key: "start", title: "First offset", of: (p) => p.start, right: true, width: "minmax(88px, 1fr)" },
    { key: "end", title: "End", of: (p) => p.end, cell: (p) => <Num of={p.end} live />, right: true, width: "minmax(88px, 1fr)", hint: "the offset of the next record" },
    { key: "records", title: "Records", of: (p) => p.records, cell: (p) => <Num of={p.records} live />, right: true, width: "minmax(88px, 1fr)" },
    { key: "rate", title: "Records/s", of: (p) => p.rate, cell: (p) => <Num of={p.rate} as="rate" live />, right: true, width: "88px" },
    { key: "bytes", title: "Size", of: (p) => p.bytes, cell: (p) => <Num of={p.bytes} as="bytes" live />, right: true, width: "88px", wide: true },
    { key: "open", title: "Held back", of: (p) => p.end - p.stable, right: true, width: "88px", wide: true, hint: "records that consumers of committed ones do not see yet: a transaction is open" },
];

export function Partitions({ of: t }: { of: Topic }) {
    const [window, setWindow] = useState<"grow" | "cut" | null>(null);
    const close = () => setWindow(null);
    const able = may("op") && !t.internal;
    return (
        <>
            <Rates topic={t.name} />
            <Section title="Partitions" acts={able && (
                <>
                    <Button onClick={() => setWindow("grow")}>Add partitions</Button>
                    <Button onClick={() => setWindow("cut")} disabled={t.cleanup === "compact"} title={t.cleanup === "compact" ? "A compacted topic keeps each key's last record." : undefined}>Remove records</Button>
                </>
            )}>
                <Table label="Partitions" id="p" rows={t.partitions} rowKey={(p) => String(p.partition)} columns={COLUMNS} filter={false} sort="partition" height="50vh" />
            </Section>
            {window === "grow" && <Grow of={t} onClose={close} />}
            {window === "cut" && <Cut of={t} onClose={close} />}
        </>
    );
}

function Rates({ topic }: { topic: string }) {
    const past = useHistory(`topic:${topic}`);
    const chart = (metric: string, title: string, say: (n: number) => string) => {
        const p = past.of(metric);
        return <Chart title={title} times={p.times} series={[{ label: title, values: p.values }]} say={say} fill from={past.from} to={past.to} />;
    };
    return (
        <Section title="Rates" acts={<TimeRange />}>
            <div class="charts">
                {chart("rate", "Records a second", (n) => `${count(n)}/s`)}
                {chart("bytes_rate", "Bytes a second", (n) => `${bytes(n)}/s`)}
            </div>
        </Section>
    );
}

function Grow({ of: t, onClose }: { of: Topic; onClose: () => void }) {
    const [n, setN] = useState(String(t.partition_count + 1));
    return (
        <Confirm title={`Add partitions to ${t.name}`} verb="Add partitions" command={`sluice topics grow ${shell(t.name)} --partitions ${shell(n)}`} onClose={onClose}
            act={() => api.post(`topics/${encodeURIComponent(t.name)}/partitions`, { partitions: Number(n) })} onDone={() => (toast(`${t.name} has ${n} partitions.`), onClose())}>
            <Input label="Partitions then" type="number" min={t.partition_count + 1} value={n} set={setN} focus hint={`There are ${t.partition_count} now; they never become fewer.`} />
            <p>Records with a key go to another partition than before where the number changes it: those that are there stay where they are.</p>
        </Confirm>
    );
}

function Cut({ of: t, onClose }: { of: Topic; onClose: () => void }) {
    const [partition, setPartition] = useState("");
    const [before, setBefore] = useState("");
    const chosen = t.partitions.filter((p) => partition === "" || p.partition === Number(partition));
    const go = chosen.reduce((a, p) => a + Math.max(0, (before === "" ? p.stable : Math.min(Number(before), p.stable)) - p.start), 0);
    const body = { ...(partition !== "" && { partition: Number(partition) }), ...(before !== "" && { before: Number(before) }) };
    return (
        <Confirm title={`Remove records of ${t.name}`} verb="Remove records" name={t.name} onClose={onClose} command={partition === "" ? `sluice topics trim ${shell(t.name)} --before ${before === "" ? "end" : shell(before)} --yes` : `kafka-delete-records --bootstrap-server localhost:9092 --offset-json-file FILE`}
            act={() => api.post(`topics/${encodeURIComponent(t.name)}/cut`, body)} onDone={() => (toast("The records are removed."), onClose())}>
            <div class="fields">
                <Input label="Partition" type="number" min={0} max={t.partition_count - 1} value={partition} set={setPartition} placeholder="all" />
                <Input label="Before offset" type="number" min={0} value={before} set={setBefore} placeholder="the end" />
            </div>
            <p><b>{count(go)}</b> {go === 1 ? "record goes" : "records go"} for good, out of {plural(chosen.length, "partition")}.</p>
        </Confirm>
    );
}
