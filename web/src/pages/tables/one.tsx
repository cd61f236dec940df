/** One table: its rows, its schema, what may be done with it. */
import { useState } from "preact/hooks";
import { Button, Command, Confirm, Facts, Failed, Loading, Num, Page, Section, Tabs, api, at, bytes, duration, go, may, param, plural, shell, toast, useGet } from "../../kit";
import { Browse } from "./rows";
import { quoted, type TableOne } from "./shape";

export function One({ keyspace, name }: { keyspace: string; name: string }) {
    const got = useGet<TableOne>(`tables/${encodeURIComponent(keyspace)}/${encodeURIComponent(name)}`);
    const [asked, setAsked] = useState<"truncate" | "drop" | null>(null);
    const [turn, setTurn] = useState(0);
    const title = `${keyspace}.${name}`;
    const back = { href: "/tables", title: "Tables" };
    if (!got.value) return <Page title={title} back={back}>{got.problem ? <Failed problem={got.problem} retry={got.reload} /> : <Loading what={`table ${title}`} />}</Page>;
    const t = got.value;
    const cql = `${quoted(keyspace)}.${quoted(name)}`;
    const allowed = may("op");
    const why = t.held ?? (allowed ? undefined : "This needs the role Op.");
    const rows = t.size.rows === null ? "its rows" : `${t.size.exact ? "" : "about "}${plural(t.size.rows, "row")}`;
    const done = (what: string) => {
        setAsked(null);
        toast(what === "drop" ? `${title} is gone.` : `${title} is empty.`);
        if (what === "drop") go("/tables");
        else (got.reload(), setTurn((n) => n + 1));
    };
    return (
        <Page title={title} back={back} answer={<>{t.size.rows !== null && <>{t.size.exact ? "" : "About "}{plural(t.size.rows, "row")}, {bytes(t.size.bytes)} on disk</>}{t.size.writers.length > 0 && <>; written by {t.size.writers.map((w, i) => <>{i > 0 && ", "}<a key={w} href={at("streams", w)}><bdi>{w}</bdi></a></>)}</>}{t.size.rows === null && "What the server tells about itself"}.</>}
            acts={t.size.kind !== "system" && <>
                <Button kind="bare" disabled={!allowed || t.held !== null} title={why} onClick={() => setAsked("truncate")}>Truncate</Button>
                <Button kind="bare" disabled={!allowed || t.held !== null} title={why} onClick={() => setAsked("drop")}>Drop</Button>
            </>}>
            <Tabs label={`Views of ${title}`} of={[{ key: "", title: "Rows" }, { key: "schema", title: "Schema", count: t.columns.length }]} />
            {param("view") === "schema" ? <Schema of={t} /> : <Browse key={turn} keyspace={keyspace} name={name} table={t} />}
            {asked && (
                <Confirm title={`${asked === "drop" ? "Drop" : "Truncate"} table ${title}`} verb={asked === "drop" ? "Drop" : "Truncate"} name={name} command={`sluice query ${shell(`${asked.toUpperCase()} TABLE ${cql}`)}`}
                    act={() => api.post(`tables/${encodeURIComponent(keyspace)}/${encodeURIComponent(name)}/act`, { what: asked, confirm: name })} onDone={() => done(asked)} onClose={() => setAsked(null)}>
                    <p>{asked === "drop" ? `The table goes with ${rows}` : `${rows[0]!.toUpperCase()}${rows.slice(1)} go`} ({bytes(t.size.bytes)} on disk){t.indexes.length ? `, and with ${plural(t.indexes.length, "index", "indexes")}` : ""}. It can not be undone.</p>
                </Confirm>
            )}
        </Page>
    );
}

function Schema({ of: t }: { of: TableOne }) {
    return (
        <div class="stack">
            {t.held && <p class="note note-quiet"><span>It can not be dropped or emptied now: {t.held}</span></p>}
            <table class="tables-columns">
                <thead><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Key</th></tr></thead>
                <tbody>{t.columns.map((c) => <tr key={c.name}><th scope="row"><bdi>{c.name}</bdi></th><td><code>{c.type}</code></td><td>{c.role === "regular" ? "" : c.role}{c.role === "clustering" && c.descending ? ", descending" : ""}</td></tr>)}</tbody>
            </table>
            <div class="tables-narrow">
                <Facts of={[
                    ["Rows", t.size.rows === null ? null : <><Num of={t.size.rows} />{t.size.exact ? "" : ", about"}</>],
                    ["On disk", `${bytes(t.size.bytes)}${t.size.index_bytes ? `, of these ${bytes(t.size.index_bytes)} indexes` : ""}`],
                    ["Rows expire", t.ttl_s ? `after ${duration(t.ttl_s * 1000)}` : "never, unless written so"],
                    ...t.indexes.map((i): [string, string] => ["Index", `${i.name} on ${i.target}${i.ready ? "" : ", being filled"}`]),
                    ...t.options.map((o): [string, preact.ComponentChildren] => [o.name, <code>{o.value}</code>]),
                ]} />
            </div>
            {t.describe && <Section title="The statements that make it" acts={<Command text={`sluice tables describe ${shell(`${t.size.keyspace}.${t.size.name}`)}`} quiet />}><pre class="tables-code" tabIndex={0}>{t.describe}</pre></Section>}
        </div>
    );
}
