/** Tables: what is in them, and why this row. */
import "./tables.css";
import { Command, Empty, Failed, Num, Page, Segments, Table, at, count, go, param, plural, setQuery, useChannel, type PageArgs } from "../../kit";
import { One } from "./one";
import { RecordWhy } from "./why";
import type { Size, Tables as All } from "./shape";

export default function Tables({ rest }: PageArgs) {
    if (rest.length >= 2) return <One key={rest.join("/")} keyspace={rest[0]!} name={rest[1]!} />;
    if (rest[0] === "why" && param("topic")) return <RecordWhy />;
    return <List keyspace={rest[0]} />;
}

function List({ keyspace }: { keyspace: string | undefined }) {
    const got = useChannel<All>("tables");
    const system = param("show") === "system";
    const mine = got.value?.tables.filter((t) => (keyspace !== undefined ? t.keyspace === keyspace : (t.kind === "system") === system));
    const own = got.value?.tables.filter((t) => t.kind !== "system");
    if (got.problem && !got.value) return <Page title="Tables"><Failed problem={got.problem} retry={got.reload} /></Page>;
    return (
        <Page title={keyspace ?? "Tables"} {...(keyspace !== undefined && { back: { href: "/tables", title: "Tables" } })}
            answer={own && `${plural(own.length, "table")} in ${plural(got.value!.keyspaces.length, "keyspace")}.`}
            acts={keyspace === undefined && <Segments label="Which tables" value={system ? "system" : "own"} set={(v) => setQuery({ show: v === "system" ? v : null, q: null })} of={[{ value: "own", label: "Ours" }, { value: "system", label: "System" }]} />}>
            <Table label="Tables" rows={mine} rowKey={(t) => `${t.keyspace}.${t.name}`} href={(t) => at("tables", t.keyspace, t.name)} what="the tables"
                columns={[
                    { key: "name", title: "Table", of: (t) => `${t.keyspace}.${t.name}`, width: "minmax(200px, 2fr)" },
                    { key: "rows", title: "Rows", of: (t) => t.rows, cell: (t) => (t.rows === null ? <span class="none">–</span> : <span class="num live" title={t.exact ? "counted" : "as the files tell"}>{t.exact ? "" : "≈ "}{count(t.rows)}</span>), right: true, first: "down", width: "112px" },
                    { key: "bytes", title: "On disk", of: (t) => t.bytes, cell: (t) => <Num of={t.bytes} as="bytes" live />, right: true, first: "down", width: "96px", hint: "In files; what was written just now is in memory yet" },
                    { key: "columns", title: "Columns", of: (t) => t.columns || null, right: true, wide: true, width: "80px" },
                    { key: "kind", title: "Kind", of: (t) => t.kind, wide: true, width: "80px" },
                    { key: "writers", title: "Written by", of: (t) => t.writers.join(", "), cell: (t) => (t.writers.length ? <>{t.writers.map((w, i) => <>{i > 0 && ", "}<a key={w} href={at("streams", w)}><bdi>{w}</bdi></a></>)}</> : <span class="none">–</span>), wide: true, width: "minmax(140px, 1fr)" },
                    { key: "indexes", title: "Indexes", of: (t) => t.indexes.join(", "), wide: true, width: "minmax(96px, 1fr)" },
                ]}
                open={(t: Size) => go(at("tables", t.keyspace, t.name))}
                empty={<Empty title={keyspace !== undefined ? "No table in this keyspace." : "No tables yet."} action={<Command text={`sluice query 'CREATE TABLE demo.people (id uuid PRIMARY KEY, name text)'`} />}>A CREATE TABLE or CREATE MATERIALIZED VIEW of pipeline.sql makes one, or a statement of any CQL client.</Empty>} />
        </Page>
    );
}
