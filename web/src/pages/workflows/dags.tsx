/** Every dag: whether it is on, when it runs, how its last runs went. */
import { useState } from "preact/hooks";
import { Ago, Button, Command, Empty, Facts, Failed, Icon, Switch, Table, api, go, may, shell, toastProblem, type Column, type Got } from "../../kit";
import { dagAt, type Dag } from "./api";
import { Act, LastRuns, TaskState, dagHref } from "./parts";
import { scheduleWords } from "./schedule";
import { Trigger } from "./trigger";

/** On: its schedule makes runs, and runs go on. */
export function Toggle({ dag, paused, done }: { dag: string; paused: boolean; done: () => void }) {
    const [wish, setWish] = useState<boolean | null>(null);
    const shown = wish ?? paused;
    const allowed = may("User");
    const set = async (on: boolean) => {
        setWish(!on);
        const got = await api.patch(`${dagAt(dag)}?update_mask=is_paused`, { is_paused: !on });
        if (!got.ok) toastProblem(got.problem);
        done();
        setTimeout(() => setWish(null), got.ok ? 1500 : 0); // by then the list has come
    };
    return <Switch label={allowed ? `${dag}: ${shown ? "paused, turn on" : "on, pause"}` : `${dag}: ${shown ? "paused" : "on"}. Not allowed: changing it needs the role User.`} value={!shown} disabled={!allowed} set={(on) => void set(on)} />;
}

export function Dags({ of }: { of: Got<{ rows: Dag[]; total: number }> }) {
    const [trigger, setTrigger] = useState<string>();
    if (of.problem) return <Failed problem={of.problem} retry={of.reload} />;
    const columns: Column<Dag>[] = [
        { key: "on", title: "On", width: "48px", of: (d) => (d.is_paused ? "paused" : "on"), cell: (d) => <Toggle dag={d.dag_id} paused={d.is_paused} done={of.reload} />, hint: "Whether its schedule makes runs, and runs go on" },
        { key: "dag", title: "Dag", width: "minmax(120px, 2fr)", of: (d) => d.dag_id, cell: (d) => <a href={dagHref(d.dag_id)} tabIndex={-1} title={d.description ? `${d.dag_id}\n${d.description}` : d.dag_id}><bdi>{d.dag_id}</bdi></a> },
        { key: "schedule", title: "Schedule", width: "minmax(150px, 3fr)", wide: true, of: (d) => scheduleWords(d), cell: (d) => <span class="wf-cut" title={d.timetable_summary ?? undefined}>{scheduleWords(d)}</span> },
        { key: "next", title: "Next run", width: "96px", wide: true, of: (d) => (d.is_paused ? null : d.next_dagrun_run_after), cell: (d) => (d.is_paused ? <span class="none">paused</span> : <Ago at={d.next_dagrun_run_after} />) },
        { key: "runs", title: "Last runs", width: "minmax(110px, 204px)", sort: false, of: () => null, cell: (d) => <LastRuns dag={d.dag_id} runs={d.latest_dag_runs} /> },
        { key: "state", title: "Last", width: "104px", wide: true, of: (d) => d.latest_dag_runs[0]?.state, cell: (d) => (d.latest_dag_runs[0] ? <TaskState of={d.latest_dag_runs[0].state} /> : <span class="none">–</span>) },
        { key: "when", title: "Last start", width: "96px", wide: true, first: "down", of: (d) => d.latest_dag_runs[0]?.start_date, cell: (d) => <Ago at={d.latest_dag_runs[0]?.start_date} /> },
        { key: "tags", title: "Tags", width: "minmax(80px, 1fr)", wide: true, of: (d) => d.tags.map((t) => t.name).join(" "), cell: (d) => <span class="wf-cut">{d.tags.map((t) => <span class="badge" key={t.name}><bdi>{t.name}</bdi></span>)}</span> },
    ];
    const first = of.value?.rows.find((d) => !d.is_stale);
    return (
        <>
            <Table label="Dags" rows={of.value?.rows} rowKey={(d) => d.dag_id} columns={columns} sort="dag" what="the dags"
                tone={(d) => (d.is_paused ? "off" : d.latest_dag_runs[0]?.state === "failed" ? "bad" : undefined)}
                panel={(d) => (
                    <div class="stack">
                        {d.description && <p><bdi>{d.description}</bdi></p>}
                        <Facts of={[
                            ["Schedule", <>{scheduleWords(d)} {d.timetable_summary && d.timetable_summary !== "None" && <code>{d.timetable_summary}</code>}</>],
                            ["Next run", d.is_paused ? "none while it is paused" : d.next_dagrun_run_after ? <Ago at={d.next_dagrun_run_after} /> : "none by the clock"],
                            ["Owner", <bdi>{d.owners.join(", ")}</bdi>],
                            ["Tags", d.tags.length ? d.tags.map((t) => <span class="badge" key={t.name}><bdi>{t.name}</bdi></span>) : null],
                            ["File", <code>{d.fileloc}</code>],
                            ["At once", `${d.max_active_runs} runs, ${d.max_active_tasks} tasks`],
                            ["Last runs", <LastRuns dag={d.dag_id} runs={d.latest_dag_runs} />],
                        ]} />
                        <div class="buttons">
                            <Button kind="main" onClick={() => go(dagHref(d.dag_id))}>Open</Button>
                            <Act onClick={() => setTrigger(d.dag_id)}><Icon name="play" /> Trigger</Act>
                        </div>
                        <Command text={`sluice dags trigger ${shell(d.dag_id)}`} />
                    </div>
                )}
                empty={<Empty title="No dags yet." action={<Command text="sluice help dags" />}>A dag is declared in <code>dags.yaml</code> or in a file of <code>dags/</code> in the project; it appears here as soon as it is saved.</Empty>}
                note={first && of.value && of.value.total > of.value.rows.length ? `The first ${of.value.rows.length} of ${of.value.total}.` : undefined} />
            {trigger !== undefined && <Trigger dag={trigger} onClose={() => setTrigger(undefined)} onDone={(run) => (setTrigger(undefined), go(dagHref(trigger, { run })))} />}
        </>
    );
}
