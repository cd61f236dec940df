/** All sources and streams, a row each; one in brief beside them. */
import { Ago, Command, Empty, Facts, Failed, Num, State, Table, at, bytes, count, duration, plural, shell, type Got } from "../../kit";
import { Acts } from "./acts";
import { LedgerLine } from "./ledger";
import { wrongWith, type Stage } from "./shape";

export function List({ of }: { of: Got<Stage[]> }) {
    if (of.problem && !of.value) return <Failed problem={of.problem} retry={of.reload} />;
    return (
        <Table label="Streams" rows={of.value} rowKey={(s) => s.name} href={(s) => at("streams", s.name)} what="the streams"
            tone={(s) => (wrongWith(s) ? (s.state === "retrying" ? "warn" : "bad") : s.state === "paused" ? "off" : undefined)}
            columns={[
                { key: "name", title: "Name", of: (s) => s.name, width: "minmax(120px, 1.6fr)" },
                { key: "state", title: "State", of: (s) => (wrongWith(s) ?? s.state), cell: (s) => <StageState of={s} />, width: "100px" },
                { key: "rate", title: "Rate", of: (s) => s.rate, cell: (s) => <Num of={s.rate} as="rate" live />, right: true, first: "down", width: "76px" },
                { key: "lag", title: "Behind", of: (s) => (s.kind === "stream" ? s.lag : null), cell: (s) => (s.kind === "stream" ? <Num of={s.lag} live /> : <span class="none">–</span>), right: true, first: "down", width: "76px", hint: "Records between what it has committed and the topic's end" },
                { key: "in", title: "In", of: (s) => s.ledger.in, cell: (s) => <Num of={s.ledger.in} live />, right: true, wide: true, first: "down", width: "92px" },
                { key: "out", title: "Rows out", of: (s) => s.ledger.rows_out, cell: (s) => <Num of={s.ledger.rows_out} live />, right: true, wide: true, first: "down", width: "92px" },
                { key: "dead", title: "Dead", of: (s) => s.ledger.dead, cell: (s) => (s.ledger.dead ? <a class="streams-dead num" href={at("streams", s.name) + "?view=dead"}>{count(s.ledger.dead)}</a> : <span class="none num">0</span>), right: true, wide: true, first: "down", width: "60px" },
                { key: "batch", title: "Batch", of: (s) => batch(s), cell: (s) => <span class="num live">{batch(s) === null ? "–" : duration(batch(s)!)}</span>, right: true, wide: true, first: "down", width: "72px", hint: "Half of the epochs took less, from the first record read until all is on disk" },
                { key: "into", title: "From → into", of: (s) => `${s.from} → ${s.into}`, wide: true, width: "minmax(140px, 2fr)" },
                { key: "commit", title: "Last commit", of: (s) => s.last_commit, cell: (s) => <Ago at={s.last_commit} />, wide: true, width: "96px" },
            ]}
            panel={(s) => <Brief of={s} />}
            empty={<Empty title="pipeline.sql declares no source and no stream." action={<Command text="sluice plan" />}>CREATE SOURCE brings records into a topic, CREATE STREAM takes them from there into a table; both would be listed here with their rates, their lag and what became of each record.</Empty>} />
    );
}

export function batch(s: Stage): number | null {
    const span = s.form === "catching up" && s.catchup.epochs ? s.catchup : s.live.epochs ? s.live : s.catchup;
    return span.epochs ? span.p50_us / 1000 : null;
}

export function StageState({ of: s }: { of: Stage }) {
    const wrong = wrongWith(s);
    if (wrong) return <State of={wrong} tone={s.state === "retrying" ? "warn" : "bad"} />;
    return <span class="quiet">{s.building ? "building" : s.state}</span>;
}

export function Brief({ of: s }: { of: Stage }) {
    return (
        <div class="stack">
            <p class="buttons"><a class="button" href={at("streams", s.name)}>Open {s.kind}</a><Acts of={s} /></p>
            {s.trouble && <p class="note note-bad"><span>{s.trouble}</span></p>}
            {s.note && <p class="note note-quiet"><span>{s.note}</span></p>}
            <Facts of={facts(s)} />
            <LedgerLine of={s.ledger} balanced={s.balanced} />
            <Command text={`sluice streams describe ${shell(s.name)}`} />
        </div>
    );
}

export function facts(s: Stage): [string, preact.ComponentChildren][] {
    const stream = s.kind === "stream";
    const rows: ([string, preact.ComponentChildren] | false)[] = [
        ["State", <StageState of={s} />],
        ["From", <bdi>{s.from}</bdi>],
        ["Into", <bdi>{s.into}</bdi>],
        ["Rate", <Num of={s.rate} as="rate" live />],
        stream && ["Behind", <><Num of={s.lag} live /> records</>],
        stream && ["Form", s.form],
        s.building && ["Built", `${s.built_percent ?? 0} %${s.left_s !== undefined && s.left_s >= 0 ? `, about ${duration(s.left_s * 1000)} left` : ""}`],
        [stream ? "Epochs" : "Answers", <Num of={s.epochs} live />],
        stream && s.live.epochs > 0 && ["Live epochs", `p50 ${duration(s.live.p50_us / 1000)}, p99 ${duration(s.live.p99_us / 1000)}, slowest ${duration(s.live.max_us / 1000)}`],
        stream && s.catchup.epochs > 0 && ["Catching up", `p50 ${duration(s.catchup.p50_us / 1000)}, p99 ${duration(s.catchup.p99_us / 1000)}`],
        stream && ["Watermark", s.watermark ? <Ago at={s.watermark} /> : "none"],
        stream && s.late_rows > 0 && ["Late rows", <Num of={s.late_rows} live />],
        stream && ["State", `${plural(s.state_rows, "row")}, ${bytes(s.state_bytes)} in memory`],
        ["Last commit", <Ago at={s.last_commit} />],
        ["Since", <Ago at={s.since} />],
        ["Threads", stream ? `${plural(s.lanes, "lane")}${s.feeders ? `, ${plural(s.feeders, "feeder")}` : ""}` : "1"],
        ["Processor", duration(s.cpu_ms)],
        ["Memory", bytes(s.memory_bytes)],
    ];
    return rows.filter((r): r is [string, preact.ComponentChildren] => r !== false);
}
