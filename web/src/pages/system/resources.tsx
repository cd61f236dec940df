/** Memory and processor: now and over time, by part, by stage, by thread. */
import { Bars, Chart, Empty, Failed, Figures, Num, Section, Spark, Table, TimeRange, bytes, duration, linkTo, plural, useChannel, useHistory, useSeries, type Past } from "../../kit";
import { share, type Resources } from "./shape";

const SPARK_SECONDS = 300;

/** The last minutes of a metric, of every part that has it. */
function useSparks(metric: string): (part: string) => (number | null)[] | undefined {
    const of = new Map(useSeries("metric", metric, SPARK_SECONDS).map((s) => [s.part, s.values]));
    return (part) => of.get(part);
}

export function ResourcesView() {
    const got = useChannel<Resources>("resources");
    const past = useHistory("server");
    const cpu = useSparks("cpu");
    const memory = useSparks("memory");
    if (got.problem && !got.value) return <Failed problem={got.problem} retry={got.reload} />;
    const r = got.value;
    return (
        <>
            {r && <Now of={r} />}
            <Section title="Over time" acts={<TimeRange />}>
                <div class="charts">
                    <Chart title="Processor" times={past.of("cpu").times} series={[{ label: "all threads", values: past.of("cpu").values }]} say={(n) => share(n)} from={past.from} to={past.to} fill />
                    <Chart title="Memory" times={past.of("memory").times} series={[line("used", past.of("memory")), line("buffers", past.of("buffers")), line("fresh rows", past.of("rows_fresh")), line("cached rows", past.of("rows_cached"))]} say={bytes} from={past.from} to={past.to} />
                </div>
            </Section>
            <Section title="By stage" note="What each source and stream takes.">
                <Table id="stages" label="Stages" rows={r?.stages} rowKey={(s) => `${s.kind}:${s.name}`} filter={false} height="36vh" sort="-cpu" href={(s) => linkTo("stream", s.name)} what="the stages"
                    columns={[
                        { key: "name", title: "Name", of: (s) => s.name, width: "minmax(112px, 1.6fr)" },
                        { key: "kind", title: "Kind", of: (s) => s.kind, wide: true, width: "72px" },
                        { key: "cpu", title: "Processor", of: (s) => s.cpu, cell: (s) => <span class="num live" title="Of one processor, over the last two seconds">{share(s.cpu)}</span>, right: true, first: "down", width: "84px" },
                        { key: "cpuspark", title: "5 min", of: () => "", cell: (s) => <Spark of={cpu(`${s.kind}:${s.name}`)} />, wide: true, sort: false, width: "84px" },
                        { key: "spent", title: "So far", of: (s) => s.cpu_ns, cell: (s) => <span class="num live">{duration(s.cpu_ns / 1e6)}</span>, right: true, wide: true, first: "down", width: "80px" },
                        { key: "memory", title: "Memory", of: (s) => s.memory, cell: (s) => <Num of={s.memory} as="bytes" live />, right: true, first: "down", width: "80px" },
                        { key: "memspark", title: "5 min", of: () => "", cell: (s) => <Spark of={memory(`${s.kind}:${s.name}`)} />, wide: true, sort: false, width: "84px" },
                        { key: "state", title: "State", of: (s) => s.state_bytes, cell: (s) => <Num of={s.state_bytes} as="bytes" live />, right: true, wide: true, first: "down", width: "80px", hint: "What it remembers, in the store" },
                        { key: "threads", title: "Threads", of: (s) => s.threads, right: true, wide: true, width: "68px" },
                    ]}
                    empty={<Empty title="pipeline.sql declares no source and no stream.">Each would stand here with its processor time and memory.</Empty>} />
            </Section>
            <Section title="By thread" note={r && `${plural(r.threads.reduce((n, t) => n + t.count, 0), "thread")}; the kernel counts in steps of 10 ms.`}>
                <Table id="threads" label="Threads" rows={r?.threads} rowKey={(t) => t.name} height="48vh" sort="-spent" what="the threads"
                    columns={[
                        { key: "name", title: "Thread", of: (t) => t.name, mono: true, width: "minmax(112px, 1fr)" },
                        { key: "room", title: "Does", of: (t) => t.room, wide: true, width: "minmax(160px, 2fr)" },
                        { key: "count", title: "How many", of: (t) => t.count, right: true, wide: true, width: "76px" },
                        { key: "cpu", title: "Processor", of: (t) => t.cpu, cell: (t) => <span class="num live">{share(t.cpu)}</span>, right: true, first: "down", width: "84px" },
                        { key: "spark", title: "5 min", of: () => "", cell: (t) => <Spark of={cpu(`thread:${t.name}`)} />, wide: true, sort: false, width: "84px" },
                        { key: "spent", title: "So far", of: (t) => t.cpu_ns, cell: (t) => <span class="num live">{duration(t.cpu_ns / 1e6)}</span>, right: true, first: "down", width: "80px" },
                    ]} />
            </Section>
        </>
    );
}

const line = (label: string, p: Past) => ({ label, values: p.values });

function Now({ of: r }: { of: Resources }) {
    const m = r.memory;
    const low = r.disk.free !== null && r.disk.size !== null && r.disk.free < r.disk.size / 20;
    return (
        <>
            <Figures of={[
                { title: "Memory", value: bytes(m.used), note: `of ${bytes(m.budget)}`, tone: m.used > m.budget * 0.95 ? "warn" : undefined },
                { title: "Processor", value: share(r.cpu), note: `of ${plural(r.processors, "processor")}; ${duration(r.cpu_ns / 1e6)} so far` },
                { title: "Open files", value: r.files.toLocaleString("en-US"), note: `of ${r.files_max.toLocaleString("en-US")}`, tone: r.files > r.files_max * 0.9 ? "bad" : undefined },
                { title: "Disk", value: bytes(r.disk.tables + r.disk.topics), note: r.disk.free === null ? "what is left is not known" : `${bytes(r.disk.free)} left`, tone: low ? "warn" : undefined },
            ]} />
            <div class="charts">
                <Section title="Memory by part" note="What the process takes now.">
                    <Bars title="Memory by part" say={bytes} of={[
                        { label: "of stages", value: m.stages },
                        { label: "other buffers", value: Math.max(0, m.buffers - m.stages) },
                        { label: "fresh rows", value: m.rows_fresh },
                        { label: "cached rows", value: m.rows_cached },
                        { label: "the rest", value: m.rest },
                    ]} />
                    <p class="quiet">Resident {bytes(m.resident)}, at most {bytes(m.resident_peak)}{m.swapped > 0 && `, ${bytes(m.swapped)} on the swap`}; the machine has {bytes(m.machine)}. The rest is libraries, stacks, the allocator's own.</p>
                </Section>
                <Section title="Disk by part" note={r.disk.compactions ? `${plural(r.disk.compactions, "compaction")} running` : undefined}>
                    <Bars title="Disk by part" say={bytes} of={[{ label: "tables", value: r.disk.tables }, { label: "topics", value: r.disk.topics }, { label: "to compact", value: r.disk.to_compact }]} />
                </Section>
            </div>
        </>
    );
}
