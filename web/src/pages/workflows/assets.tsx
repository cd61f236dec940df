/** Assets: tables, topics and other things that tasks change, and the dags that wait for them. */
import { Ago, Command, Empty, Facts, Failed, Table, count, linkTo, type Column } from "../../kit";
import { V2, channel, useList, type AssetRow } from "./api";
import { dagHref } from "./parts";

interface AssetEvent {
    id: number;
    timestamp: string;
    source_dag_id: string | null;
    source_task_id: string | null;
    source_run_id: string | null;
    extra: { from_data?: boolean; offsets?: number };
    created_dagruns: { dag_id: string; run_id: string }[];
}

/** Who says so: a task, the table or topic itself, or somebody by the API. */
function Who({ of: e }: { of: AssetEvent }) {
    if (e.source_dag_id) return <a href={dagHref(e.source_dag_id, { run: e.source_run_id, task: e.source_task_id })}><bdi>{e.source_dag_id}.{e.source_task_id}</bdi></a>;
    const on = e.extra.offsets;
    return <span class="quiet">{e.extra.from_data ? `written to${on ? `, ${count(on)} ${on === 1 ? "offset" : "offsets"} on` : ""}` : "from outside"}</span>;
}


function Events({ of }: { of: AssetRow }) {
    const got = useList<AssetEvent>(`${V2}/assets/events`, "asset_events", { asset_id: of.id, order_by: "-timestamp" }, channel("dags"), 50);
    if (got.problem) return <Failed problem={got.problem} retry={got.reload} />;
    if (!got.value) return null;
    if (!got.value.rows.length) return <p class="quiet">It has not changed yet.</p>;
    return <ul class="wf-events">{got.value.rows.map((e) => <li key={e.id}><Ago at={e.timestamp} /> <Who of={e} />{e.created_dagruns.map((r) => <> · started <a key={r.dag_id + r.run_id} href={dagHref(r.dag_id, { run: r.run_id })}><bdi>{r.dag_id}</bdi></a></>)}</li>)}</ul>;
}

export function Assets() {
    const got = useList<AssetRow>(`${V2}/assets`, "assets", {}, channel("dags"));
    if (got.problem) return <Failed problem={got.problem} retry={got.reload} />;
    const dags = (list: { dag_id: string }[]) => [...new Set(list.map((d) => d.dag_id))];
    const columns: Column<AssetRow>[] = [
        { key: "name", title: "Asset", width: "minmax(120px, 2fr)", of: (a) => a.name },
        { key: "kind", title: "Kind", width: "80px", of: (a) => a.group },
        { key: "by", title: "Changed by", width: "minmax(96px, 1fr)", wide: true, of: (a) => dags(a.producing_tasks).join(", ") },
        { key: "for", title: "Starts", width: "minmax(96px, 1fr)", of: (a) => dags(a.scheduled_dags).join(", ") },
        { key: "at", title: "Known since", width: "104px", wide: true, of: (a) => a.created_at, cell: (a) => <Ago at={a.created_at} /> },
    ];
    return (
        <Table id="assets" label="Assets" rows={got.value?.rows} rowKey={(a) => String(a.id)} columns={columns} sort="name"
            panel={(a) => (
                <div class="stack">
                    <Facts of={[
                        ["Name", a.group === "table" || a.group === "topic" ? <a href={linkTo(a.group, a.name)}><bdi>{a.name}</bdi></a> : <bdi>{a.name}</bdi>], ["Kind", a.group],
                        ["Changed by", a.producing_tasks.length ? a.producing_tasks.map((t) => <a key={t.dag_id + t.task_id} href={dagHref(t.dag_id)}><bdi>{t.dag_id}.{t.task_id} </bdi></a>) : null],
                        ["Starts", a.scheduled_dags.length ? dags(a.scheduled_dags).map((d) => <a key={d} href={dagHref(d)}><bdi>{d} </bdi></a>) : null],
                    ]} />
                    <h3>Last changes</h3>
                    <Events of={a} />
                </div>
            )}
            empty={<Empty title="No assets yet." action={<Command text="sluice help kinds" />}>A task that says <code>outlets: [{"{table: …}"}]</code> changes one when it succeeds; a dag with <code>schedule: {"{after: [{table: …}]}"}</code> waits for one, whoever writes to it.</Empty>} />
    );
}
