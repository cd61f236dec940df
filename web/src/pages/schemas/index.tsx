/** Schemas: what each topic's records look like now. There is no registry of schemas in this version: these shapes are
 * found by looking at the last records, and the page says so. */
import "./schemas.css";
import { useState } from "preact/hooks";
import { Ago, Await, Command, Empty, Facts, Page, Section, Segments, Table, at, count, go, linkTo, percent, plural, shell, useGet, type Column, type PageArgs } from "../../kit";

interface Row {
    topic: string;
    records: number;
    sampled: number;
    from: string | null;
    to: string | null;
    values: Record<string, number>;
    keys: Record<string, number>;
    registry_framed: number;
    field_count: number;
    cut: boolean;
}
interface Field {
    path: string;
    leaf: boolean;
    types: Record<string, number>;
    values: number;
    in_records: number;
    presence: number;
    examples: string[];
    looks_like: string | null;
}
interface Schema extends Row {
    declared: { name: string; type: string }[];
    fields: Field[];
}

export default function Schemas({ rest }: PageArgs) {
    return rest[0] === undefined ? <List /> : <One key={rest[0]} topic={rest[0]} />;
}

/** "JSON 98 %, text 2 %" */
function shares(of: Record<string, number>): string {
    const all = Object.values(of).reduce((a, n) => a + n, 0);
    const word = (k: string) => (k === "json" ? "JSON" : k);
    return Object.entries(of).sort((a, b) => b[1] - a[1]).map(([k, n]) => (n === all ? word(k) : `${word(k)} ${percent(n / all)}`)).join(", ");
}

const COLUMNS: Column<Row>[] = [
    { key: "topic", title: "Topic", of: (r) => r.topic, width: "minmax(112px, 2fr)" },
    { key: "values", title: "Values", of: (r) => shares(r.values), width: "minmax(96px, 1fr)", cell: (r) => (r.sampled ? shares(r.values) : <span class="none">no records</span>) },
    { key: "keys", title: "Keys", of: (r) => shares(r.keys), width: "minmax(96px, 1fr)", wide: true },
    { key: "fields", title: "Fields", of: (r) => r.field_count, right: true, width: "56px", first: "down" },
    { key: "sampled", title: "Looked at", of: (r) => r.sampled, right: true, width: "88px", wide: true, hint: "records, the last ones of each partition" },
    { key: "to", title: "Newest", of: (r) => r.to, cell: (r) => <Ago at={r.to} />, width: "96px", wide: true },
];

function Registry({ why }: { why: string }) {
    return (
        <div class="note note-quiet">
            <span>{why} A registry of Avro, Protobuf and JSON schemas, with versions and compatibility, comes next and will stand on this page.</span>
        </div>
    );
}

function List() {
    const got = useGet<{ registry: { there: boolean; why: string }; topics: Row[] }>("schemas");
    return (
        <Page title="Schemas" answer="What each topic's records look like now.">
            <Await of={got} what="a look at each topic's last records" lines={8}>
                {(value) => (
                    <>
                        {!value.registry.there && <Registry why={value.registry.why} />}
                        <Table label="Schemas" rows={value.topics} rowKey={(r) => r.topic} columns={COLUMNS} href={(r) => at("schemas", r.topic)} open={(r) => go(at("schemas", r.topic))} sort="topic"
                            empty={<Empty title="There are no topics yet." action={<Command text="sluice plan" />}>What a topic's records look like is found from its records.</Empty>} />
                    </>
                )}
            </Await>
        </Page>
    );
}

const FIELDS: Column<Field>[] = [
    { key: "path", title: "Field", of: (f) => f.path, mono: true, width: "minmax(160px, 2fr)" },
    { key: "types", title: "Types", of: (f) => shares(f.types), width: "minmax(120px, 1fr)", cell: (f) => <span class={Object.keys(f.types).filter((t) => t !== "null").length > 1 ? "schema-mixed" : undefined}>{shares(f.types)}</span> },
    { key: "presence", title: "In", of: (f) => f.presence, cell: (f) => <span class="num">{percent(f.presence)}</span>, right: true, width: "72px", hint: "share of the records that have it" },
    { key: "looks", title: "Looks like", of: (f) => f.looks_like, width: "112px", wide: true, hint: "what most of its texts look like" },
    { key: "examples", title: "Examples", of: (f) => f.examples.join("  "), width: "minmax(160px, 3fr)", mono: true, wide: true },
];

const SAMPLES = ["100", "500", "5000"] as const;

function One({ topic }: { topic: string }) {
    const [sample, setSample] = useState<(typeof SAMPLES)[number]>("500");
    const [all, setAll] = useState(false);
    const got = useGet<Schema>(`topics/${encodeURIComponent(topic)}/schema`, { sample });
    return (
        <Page title={topic} back={{ href: "/schemas", title: "Schemas" }} acts={<><a class="button" href={linkTo("topic", topic)}>Messages</a><Segments label="Records to look at" value={sample} set={setSample} of={SAMPLES.map((n) => ({ value: n, label: `last ${count(Number(n))}` }))} /></>}
            answer={got.value && (got.value.sampled ? <>{plural(got.value.sampled, "record")} looked at, the newest <Ago at={got.value.to} />.</> : "There are no records to look at.")}>
            <Await of={got} what={`a look at the last ${sample} records`} lines={10}>
                {(s) => (
                    <>
                        <Registry why="There is no schema registry in this version: these fields were found in the records themselves." />
                        {s.sampled > 0 && <div class="section"><Facts of={[
                            ["Values", shares(s.values)],
                            ["Keys", shares(s.keys)],
                            s.registry_framed > 0 && ["Registry's bytes", `${plural(s.registry_framed, "value")} ${s.registry_framed === 1 ? "begins" : "begin"} as Confluent's serializers begin: their schemas lie in a registry elsewhere.`],
                            s.declared.length > 0 && ["Declared", s.declared.map((d) => `${d.name} ${d.type}`).join(", ")],
                        ]} /></div>}
                        <Section title="Fields">
                            <Table label="Fields" rows={all ? s.fields : s.fields.filter((f) => f.leaf)} rowKey={(f) => f.path} columns={FIELDS} panel={(f) => <Look of={f} all={s.values["json"] ?? 0} />}
                                tools={<Segments label="Show" value={all ? "all" : "leaves"} set={(v) => setAll(v === "all")} of={[{ value: "leaves", label: "Values" }, { value: "all", label: "Objects too" }]} />}
                                empty={<Empty title={s.sampled ? "None of the values is a JSON object: they have no fields." : "This topic has no records yet."} action={!s.sampled && <Command text={`echo '{"id": 1}' | sluice produce ${shell(topic)}`} />} />}
                                note={s.cut ? "There are more fields than are told here." : <Command text="sluice plan" />} />
                        </Section>
                    </>
                )}
            </Await>
        </Page>
    );
}

function Look({ of: f, all }: { of: Field; all: number }) {
    return (
        <div class="stack">
            <Facts of={[
                ["Types", shares(f.types)],
                ["In", `${percent(f.presence)} (${count(f.in_records)} of ${count(all)} JSON records)`],
                f.values !== f.in_records && ["Values", count(f.values)],
                f.looks_like !== null && ["Looks like", f.looks_like],
            ]} />
            {f.examples.length > 0 && <><h3>Examples</h3>{f.examples.map((e) => <pre key={e} class="schema-example"><bdi>{e}</bdi></pre>)}</>}
        </div>
    );
}
