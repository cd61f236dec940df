/** Moving a group: where each partition would stand is shown first, from the server; only a group that nobody is in moves. */
import { useEffect, useState } from "preact/hooks";
import { Command, Confirm, Failed, Input, Loading, Num, Select, Table, api, count, plural, shell, toast, type Column, type Problem } from "../../kit";
import { type Group, type Plan } from "./shape";

const TO = [
    { value: "earliest", label: "the beginning: read all again" },
    { value: "latest", label: "the end: pass over what is there" },
    { value: "time", label: "a time" },
    { value: "offset", label: "an offset" },
    { value: "shift", label: "so many records on or back" },
];

type Row = Plan["partitions"][number];
const COLUMNS: Column<Row>[] = [
    { key: "topic", title: "Topic", of: (r) => r.topic, width: "minmax(96px, 2fr)" },
    { key: "partition", title: "Part.", of: (r) => r.partition, right: true, width: "48px" },
    { key: "from", title: "From", of: (r) => r.from, right: true, width: "80px" },
    { key: "to", title: "To", of: (r) => r.to, right: true, width: "80px" },
    { key: "change", title: "Change", of: (r) => (r.from === null ? null : r.to - r.from), cell: (r) => <span class="num">{r.from === null ? "–" : `${r.to > r.from ? "+" : ""}${count(r.to - r.from)}`}</span>, right: true, width: "80px" },
];

export function Reset({ of: g, onClose }: { of: Group; onClose: () => void }) {
    const [to, setTo] = useState("earliest");
    const [number, setNumber] = useState("0");
    const [time, setTime] = useState(() => new Date(Date.now() - 3_600_000).toISOString().slice(0, 19));
    const [topic, setTopic] = useState("");
    const [plan, setPlan] = useState<Plan>();
    const [problem, setProblem] = useState<Problem>();
    const ms = Date.parse(time + "Z");
    const body = { to, ...(to === "time" && Number.isFinite(ms) && { time_ms: ms }), ...((to === "offset" || to === "shift") && number !== "" && { number: Number(number) }), ...(topic && { topic }) };
    const key = JSON.stringify(body);
    useEffect(() => {
        const stop = new AbortController();
        const t = setTimeout(async () => {
            const got = await api.post<Plan>(`groups/${encodeURIComponent(g.name)}/reset`, { ...body, dry_run: true }, { signal: stop.signal });
            if (stop.signal.aborted) return;
            setPlan(got.ok ? got.value : undefined);
            setProblem(got.ok ? undefined : got.problem);
        }, 150);
        return () => (clearTimeout(t), stop.abort());
    }, [key]);
    const place = to === "time" ? `${time}Z` : to === "offset" ? number : to === "shift" ? (number.startsWith("-") ? number : `+${number}`) : to;
    const command = `sluice groups reset ${shell(g.name)} --to ${shell(place)}${topic ? ` --topic ${shell(topic)}` : ""} --execute`;
    return (
        <Confirm title={`Reset group ${g.name}`} verb="Reset group" name={g.name} onClose={onClose}
            act={() => api.post(`groups/${encodeURIComponent(g.name)}/reset`, body)} onDone={() => (toast(`Group ${g.name} is moved.`), onClose())}>
            <div class="fields">
                <Select label="It shall stand at" value={to} set={setTo} of={TO} />
                {to === "time" && <Input label="Time (UTC)" type="datetime-local" step={1} value={time} set={setTime} />}
                {(to === "offset" || to === "shift") && <Input label={to === "offset" ? "Offset" : "Records"} type="number" value={number} set={setNumber} hint={to === "shift" ? "Below zero: back." : undefined} />}
                <Select label="In" value={topic} set={setTopic} of={[{ value: "", label: "all its topics" }, ...g.topics]} />
            </div>
            {problem ? <Failed problem={problem} /> : !plan ? <Loading what="where it would stand" lines={2} /> : (
                <>
                    <p><b><Num of={plan.again} /></b> {plan.again === 1 ? "record is" : "records are"} read again, <b><Num of={plan.skipped} /></b> passed over, in {plural(plan.partitions.length, "partition")}.</p>
                    <Table label="New positions" id="r" rows={plan.partitions} rowKey={(r) => `${r.topic}/${r.partition}`} columns={COLUMNS} filter={false} height="220px" />
                </>
            )}
            <Command text={command} />
        </Confirm>
    );
}
