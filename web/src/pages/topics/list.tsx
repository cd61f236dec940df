/** All topics, with what comes into each of them now. */
import { useState } from "preact/hooks";
import { Await, Button, Check, Command, Empty, Facts, Icon, Num, Page, Table, at, bytes, count, go, linkTo, may, param, plural, rate, setQuery, shell, toast, useActs, useChannel, type Column } from "../../kit";
import { Create } from "./create";
import { keeps, type TopicRow } from "./shape";

function Names({ of, none = "–" }: { of: string[]; none?: string }) {
    if (!of.length) return <span class="none">{none}</span>;
    return <>{of.map((n, i) => <span key={n}>{i > 0 && ", "}<a href={linkTo("stream", n)}><bdi>{n}</bdi></a></span>)}</>;
}

function BytesRate({ of }: { of: number | null }) {
    return <span class={`num live${of ? "" : " none"}`}>{of === null ? "–" : `${bytes(of)}/s`}</span>;
}

const COLUMNS: Column<TopicRow>[] = [
    { key: "name", title: "Topic", of: (t) => t.name, width: "minmax(104px, 3fr)" },
    { key: "rate", title: "Records/s", of: (t) => t.rate, cell: (t) => <Num of={t.rate} as="rate" live />, right: true, width: "72px", first: "down", hint: "over the last five seconds" },
    { key: "records", title: "Records", of: (t) => t.records, cell: (t) => <Num of={t.records} live />, right: true, width: "minmax(72px, 104px)", first: "down" },
    { key: "bytes", title: "Size", of: (t) => t.bytes, cell: (t) => <Num of={t.bytes} as="bytes" live />, right: true, width: "88px", first: "down", wide: true },
    { key: "bytes_rate", title: "Bytes/s", of: (t) => t.bytes_rate, cell: (t) => <BytesRate of={t.bytes_rate} />, right: true, width: "88px", first: "down", wide: true },
    { key: "partitions", title: "Partitions", of: (t) => t.partition_count, right: true, width: "80px", first: "down", wide: true },
    { key: "keeps", title: "Keeps", of: (t) => keeps(t), width: "88px", wide: true, hint: "retention and compaction" },
    { key: "writers", title: "Written by", of: (t) => t.writers.join(", "), cell: (t) => <Names of={t.writers} />, width: "minmax(72px, 1fr)", wide: true },
    { key: "readers", title: "Read by", of: (t) => t.readers.join(", "), cell: (t) => <Names of={t.readers} />, width: "minmax(72px, 1fr)", wide: true },
];

export function TopicList() {
    const got = useChannel<{ topics: TopicRow[] }>("topics");
    const [making, setMaking] = useState(false);
    const inner = param("internal") === "1";
    useActs([{ title: "Create a topic", kind: "action", run: () => setMaking(true) }]);
    const mine = got.value?.topics.filter((t) => !t.internal) ?? [];
    const hidden = (got.value?.topics.length ?? 0) - mine.length;
    const sum = mine.reduce((a, t) => a + (t.rate ?? 0), 0);
    const create = <Button kind="main" onClick={() => setMaking(true)} disabled={!may("op")} title={may("op") ? undefined : "This needs the role Op."}><Icon name="plus" /> Create topic</Button>;
    return (
        <Page title="Topics" answer={got.value && mine.length > 0 ? <>{plural(mine.length, "topic")}, {plural(mine.reduce((a, t) => a + t.records, 0), "record")}, {sum > 0 ? <><span class="live">{rate(sum)}</span> come in</> : "nothing comes in just now"}.</> : undefined} acts={create}>
            <Await of={got} what="the topics" lines={8}>
                {(value) => (
                    <Table label="Topics" rows={inner ? value.topics : mine} rowKey={(t) => t.name} columns={COLUMNS} href={(t) => at("topics", t.name)} sort="name"
                        panel={(t) => <Panel of={t} />}
                        tools={hidden > 0 && <Check label={`Internal (${hidden})`} value={inner} set={(on) => setQuery({ internal: on ? 1 : null })} />}
                        empty={<Empty title="There are no topics yet." action={<>{create}<Command text="sluice topics create NAME --partitions 3" /></>}>Topics hold records until their retention is over. A source of pipeline.sql makes its own, and Kafka clients may make them by writing.</Empty>} />
                )}
            </Await>
            {making && <Create onClose={() => setMaking(false)} onDone={(name) => (setMaking(false), toast(`Topic ${name} is made.`), go(at("topics", name)))} />}
        </Page>
    );
}

function Panel({ of: t }: { of: TopicRow }) {
    return (
        <div class="stack">
            <Facts of={[
                ["Records", <Num of={t.records} live />],
                ["Records a second", <Num of={t.rate} as="rate" live />],
                ["Bytes a second", <BytesRate of={t.bytes_rate} />],
                ["Size", <Num of={t.bytes} as="bytes" live />],
                ["Partitions", count(t.partition_count)],
                ["Keeps", keeps(t)],
                ["Written by", <Names of={t.writers} none="Kafka clients, or nobody" />],
                ["Read by", <Names of={t.readers} none="no stream of the project" />],
            ]} />
            <div class="buttons">
                <a class="button button-main" href={at("topics", t.name)}>Messages</a>
                <a class="button" href={at("schemas", t.name)}>What records look like</a>
            </div>
            <Command text={`sluice topics describe ${shell(t.name)}`} />
        </div>
    );
}
