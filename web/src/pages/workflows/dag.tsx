/** A dag: its grid, graph, runs in time, code; and beside it the run or task that is chosen. */
import { useState } from "preact/hooks";
import { Ago, Await, Clock, Command, Confirm, Facts, Failed, Icon, Markdown, Page, Section, Side, Tabs, api, go, param, setQuery, shell, useActs, useGet } from "../../kit";
import { V2, channel, dagAt, useList, useOne, type Backfill, type DagDetails, type Run, type Structure } from "./api";
import { BackfillForm, Backfills } from "./backfill";
import { Toggle } from "./dags";
import { Errors } from "./errors_view";
import { GanttView } from "./gantt_view";
import { Graph } from "./graph";
import { Grid } from "./grid_view";
import { Act, Json, NotAllowed } from "./parts";
import { RunPanel } from "./run";
import { Runs } from "./runs";
import { scheduleWords } from "./schedule";
import { TaskPanel } from "./task";
import { Trigger } from "./trigger";

const RUNS = 400; // columns of the grid

export function DagPage({ id }: { id: string }) {
    const watch = channel("dag", id);
    const details = useOne<DagDetails>(dagAt(id, "details"), watch);
    const structure = useOne<Structure>("/ui/structure/structure_data", null, { dag_id: id });
    const runs = useList<Run>(dagAt(id, "dagRuns"), "dag_runs", { order_by: "-run_after,-id" }, watch, RUNS);
    const backfills = useList<Backfill>(`${V2}/backfills`, "backfills", { dag_id: id, order_by: "-id" }, watch, 100);
    const [open, setOpen] = useState<"trigger" | "backfill" | "delete">();
    const view = param("view");
    const run = param("run");
    const task = param("task");
    const d = details.value;
    const close = () => setOpen(undefined);
    useActs([{ title: `Trigger ${id}`, kind: "action", run: () => setOpen("trigger"), command: `sluice dags trigger ${shell(id)}` }]);
    const back = { href: "/workflows", title: "Workflows" };
    if (details.problem) return <Page title={id} back={back}><Failed problem={details.problem} retry={details.reload} /></Page>;
    const choose = (r: string | null, t: string | null = null, more: Record<string, string | number | null> = {}) =>
        setQuery({ run: r, task: t, map: null, try: null, tab: null, ...more }, { step: true });
    return (
        <Page title={id} back={back}
            answer={d && <Answer of={d} />}
            acts={d && (
                <>
                    <span class="wf-on"><Toggle dag={id} paused={d.is_paused} done={details.reload} /> {d.is_paused ? "Paused" : "On"}</span>
                    <Act kind="main" onClick={() => setOpen("trigger")}><Icon name="play" /> Trigger</Act>
                    <Act onClick={() => setOpen("backfill")}>Backfill</Act>
                </>
            )}>
            {d?.description && <p class="quiet wf-about"><bdi>{d.description}</bdi></p>}
            {d?.has_import_errors && <p class="note note-bad">Its file has a mistake: what runs is how it was before. <a href="/workflows?view=errors">Import errors</a></p>}
            <Tabs label="Views of the dag" of={[
                { key: "", title: "Grid" }, { key: "graph", title: "Graph" }, { key: "gantt", title: "Gantt" },
                { key: "runs", title: "Runs", count: runs.value?.total }, { key: "backfills", title: "Backfills", count: backfills.value?.total || null },
                { key: "code", title: "Code" }, { key: "details", title: "Details" },
            ]} />
            <div class={`wf-split${run ? " has-panel" : ""}`}>
                <div class="wf-view">
                    {view === "code" ? <Code id={id} />
                        : view === "details" ? <Await of={details}>{(x) => <Details of={x} onDelete={() => setOpen("delete")} />}</Await>
                        : view === "runs" ? <Runs of={runs} choose={choose} />
                        : view === "backfills" ? <Backfills of={backfills} dag={id} />
                        : view === "gantt" ? <Await of={runs}>{(r) => <GanttView dag={id} runs={r.rows} run={run} choose={choose} />}</Await>
                        : <Await of={structure} what="the dag's tasks">{(s) => (view === "graph"
                            ? <Graph dag={id} structure={s} runs={runs.value?.rows ?? []} run={run} task={task} choose={choose} />
                            : <Grid dag={id} structure={s} runs={runs} run={run} task={task} choose={choose} />)}</Await>}
                </div>
                {run && (
                    <Side title={task || run} onClose={() => choose(null)}>
                        {task ? <TaskPanel key={`${run}\0${task}`} dag={id} run={run} task={task} choose={choose} /> : <RunPanel key={run} dag={id} run={run} choose={choose} gone={() => (choose(null), runs.reload())} />}
                    </Side>
                )}
            </div>
            {open === "trigger" && <Trigger dag={id} onClose={close} onDone={(r) => (close(), runs.reload(), choose(r))} />}
            {open === "backfill" && d && <BackfillForm dag={d} onClose={close} onDone={() => (close(), backfills.reload(), runs.reload(), setQuery({ view: "backfills" }, { step: true }))} />}
            {open === "delete" && (
                <Confirm title={`Delete ${id}'s history`} verb="Delete" name={id} command={`sluice dags delete ${shell(id)}`}
                    act={() => api.delete(dagAt(id))} onDone={() => (close(), go("/workflows"))} onClose={close}>
                    <p><b class="num">{runs.value?.total ?? "All"}</b> runs with their tasks, results and notes will go. While its file is there the dag comes back, without history.</p>
                </Confirm>
            )}
        </Page>
    );
}

function Answer({ of: d }: { of: DagDetails }) {
    return (
        <>
            Runs {scheduleWords(d)}
            {d.timetable_summary && !["None", "Dataset"].includes(d.timetable_summary) && <> <code>{d.timetable_summary}</code></>}
            {d.is_paused ? "; paused: nothing runs until it is turned on." : d.next_dagrun_run_after ? <>; next <Ago at={d.next_dagrun_run_after} />.</> : "."}
        </>
    );
}

function Code({ id }: { id: string }) {
    const got = useGet<{ content: string; version_number: number }>(`${V2}/dagSources/${encodeURIComponent(id)}`);
    return (
        <Await of={got} what="the dag's source">{(s) => (
            <Section title="Declared as" note={<>version {s.version_number}</>}>
                <pre class="wf-code" tabIndex={0} aria-label="The dag's source">{s.content.split("\n").map((l, i) => <span key={i} class="wf-line"><i aria-hidden="true">{i + 1}</i>{l}{"\n"}</span>)}</pre>
            </Section>
        )}</Await>
    );
}

function Details({ of: d, onDelete }: { of: DagDetails; onDelete: () => void }) {
    const when = (t: string | null) => (t ? <><Ago at={t} /> <span class="quiet">{t}</span></> : null);
    const params = Object.entries(d.params);
    return (
        <>
            <Facts of={[
                ["Schedule", scheduleWords(d)],
                ["Zone", d.timezone],
                ["Next run", d.is_paused ? "none while it is paused" : when(d.next_dagrun_run_after)],
                ["Its interval", d.next_dagrun_data_interval_start && `${d.next_dagrun_data_interval_start} to ${d.next_dagrun_data_interval_end}`],
                ["Start date", when(d.start_date)],
                ["End date", when(d.end_date)],
                ["Catch up", d.catchup ? "yes: what was missed is run" : "no: what was missed is not run"],
                ["Runs at once", d.max_active_runs],
                ["Tasks at once", d.max_active_tasks],
                ["Pauses after", d.max_consecutive_failed_dag_runs ? `${d.max_consecutive_failed_dag_runs} failed runs in a row` : "no number of failed runs"],
                ["A run may take", d.dag_run_timeout ?? "as long as it takes"],
                ["Owner", <bdi>{d.owners.join(", ")}</bdi>],
                ["Tags", d.tags.length ? d.tags.map((t) => <span class="badge" key={t.name}><bdi>{t.name}</bdi></span>) : null],
                ["File", <code>{d.fileloc}</code>],
                ["Version", d.latest_dag_version && <>{d.latest_dag_version.version_number}, since <Ago at={d.latest_dag_version.created_at} /></>],
                ["Last read", <Clock at={d.last_parsed} />],
            ]} />
            {params.length > 0 && (
                <Section title="Params">
                    <Facts of={params.map(([name, p]) => [name, <><code>{JSON.stringify(p.value)}</code> {p.description && <bdi class="quiet">{p.description}</bdi>}</>])} />
                </Section>
            )}
            {Object.keys(d.default_args).length > 0 && <Section title="Default arguments"><Json label="Default arguments" of={d.default_args} /></Section>}
            {d.doc_md && <Section title="About"><Markdown text={d.doc_md} /></Section>}
            {d.has_import_errors && <Errors file={d.fileloc} />}
            <Section title="History">
                <NotAllowed what="Deleting" />
                <div class="buttons"><Act kind="danger" onClick={onDelete}><Icon name="trash" /> Delete its history</Act><Command text={`sluice dags delete ${shell(d.dag_id)}`} /></div>
            </Section>
        </>
    );
}
