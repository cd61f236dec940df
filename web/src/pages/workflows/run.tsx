/** A run: how it stands, its tasks, and what can be done with it. */
import { useState } from "preact/hooks";
import { Ago, Await, Button, Command, Confirm, Facts, Input, Section, api, shell, toast, type Answer } from "../../kit";
import { channel, runAt, useList, useOne, type Instance, type Run } from "./api";
import { ClearRun } from "./clear";
import type { Choose } from "./grid_view";
import { Act, Json, Lasted, NotAllowed, Square, TaskState } from "./parts";
import { over, tally, word } from "./states";

const MOST = 3000; // instances that are listed

export function RunPanel({ dag, run, choose, gone }: { dag: string; run: string; choose: Choose; gone: () => void }) {
    const watch = channel("run", dag, run);
    const got = useOne<Run>(runAt(dag, run), watch);
    const tasks = useList<Instance>(runAt(dag, run, "taskInstances"), "task_instances", {}, watch, MOST);
    const [open, setOpen] = useState<"clear" | "success" | "failed" | "delete" | "note">();
    const close = () => setOpen(undefined);
    const done = () => (close(), got.reload(), tasks.reload());
    const mark = (state: string): Promise<Answer<unknown>> => api.patch(`${runAt(dag, run)}?update_mask=state`, { state });
    const counts: Record<string, number> = {};
    for (const t of tasks.value?.rows ?? []) counts[t.state ?? "none"] = (counts[t.state ?? "none"] ?? 0) + 1;
    return (
        <Await of={got} what="the run">{(r) => (
            <div class="stack">
                <p class="wf-state"><TaskState of={r.state} /> <span class="quiet">{r.run_type.replaceAll("_", " ")} run</span> <Lasted start={r.start_date} end={r.end_date} /></p>
                <div class="buttons">
                    {!over(r.state) && <Act kind="danger" onClick={() => setOpen("failed")}>Stop</Act>}
                    <Act onClick={() => setOpen("clear")}>Clear</Act>
                    {r.state !== "success" && <Act onClick={() => setOpen("success")}>Mark success</Act>}
                    {over(r.state) && r.state !== "failed" && <Act onClick={() => setOpen("failed")}>Mark failed</Act>}
                    <Act onClick={() => setOpen("delete")}>Delete</Act>
                </div>
                <NotAllowed what="Clearing, marking and deleting" />
                <Facts of={[
                    ["Logical date", r.logical_date],
                    ["Data interval", r.data_interval_start && `${r.data_interval_start} to ${r.data_interval_end}`],
                    ["Due", <Ago at={r.run_after} />],
                    ["Queued", <Ago at={r.queued_at} />],
                    ["Started", <Ago at={r.start_date} />],
                    ["Ended", <Ago at={r.end_date} />],
                    ["By", <bdi>{[r.triggering_user_name, r.triggered_by && `(${r.triggered_by.replaceAll("_", " ")})`].filter(Boolean).join(" ")}</bdi>],
                    ["Version", r.dag_versions[0] && `${r.dag_versions[0].version_number} of the dag`],
                ]} />
                {r.conf && Object.keys(r.conf).length > 0 && <Section title="Conf"><Json label="Conf" of={r.conf} /></Section>}
                <Note note={r.note} save={(note) => api.patch(`${runAt(dag, run)}?update_mask=note`, { note })} done={got.reload} />
                <Section title="Tasks" note={tally(counts)}>
                    <Await of={tasks} what="the run's tasks">{(v) => <TaskList of={v.rows} total={v.total} choose={(t) => choose(run, t.task_id, { map: t.map_index >= 0 ? t.map_index : null })} />}</Await>
                </Section>
                <Command text={`sluice runs show ${shell(dag)} ${shell(run)}`} />
                {open === "clear" && <ClearRun dag={dag} run={run} onClose={close} onDone={done} />}
                {(open === "success" || open === "failed") && (
                    <Confirm title={open === "failed" && !over(r.state) ? `Stop ${run}` : `Mark ${run} ${open === "failed" ? "failed" : "success"}`} verb={open === "failed" && !over(r.state) ? "Stop" : open === "failed" ? "Mark failed" : "Mark success"}
                        danger={open === "failed"} command={`sluice runs mark ${shell(dag)} ${shell(run)} ${open}`} act={() => mark(open)} onDone={() => (toast(`The run is marked ${open}.`), done())} onClose={close}>
                        <MarkWords tasks={tasks.value?.rows ?? []} state={open} />
                    </Confirm>
                )}
                {open === "delete" && (
                    <Confirm title={`Delete run ${run}`} verb="Delete run" danger command={`sluice runs delete ${shell(dag)} ${shell(run)}`} act={() => api.delete(runAt(dag, run))} onDone={() => (close(), gone())} onClose={close}>
                        <p>The run and its <b class="num">{tasks.value?.total ?? ""}</b> task instances with their tries, results and notes will go.</p>
                    </Confirm>
                )}
            </div>
        )}</Await>
    );
}

function MarkWords({ tasks, state }: { tasks: Instance[]; state: "success" | "failed" }) {
    const n = tasks.filter((t) => !over(t.state)).length;
    const bad = tasks.filter((t) => t.state === "failed" || t.state === "upstream_failed").length;
    if (state === "success") return <p>The run becomes success, and with it its <b class="num">{n + bad}</b> tasks that are not; what runs is ended.</p>;
    return <p>The run becomes failed. <b class="num">{n}</b> {n === 1 ? "task that has" : "tasks that have"} not ended: what runs is stopped and fails, what waits is skipped. Teardowns still run.</p>;
}

function TaskList({ of, total, choose }: { of: Instance[]; total: number; choose: (t: Instance) => void }) {
    return (
        <>
            <ul class="wf-tasks">
                {of.slice(0, 400).map((t) => (
                    <li key={`${t.task_id}\0${t.map_index}`}>
                        <button type="button" class="wf-link" onClick={() => choose(t)} title={`${t.task_id}: ${word(t.state)}`}>
                            <Square state={t.state} /> <bdi>{t.task_id}{t.map_index >= 0 ? ` [${t.rendered_map_index ?? t.map_index}]` : ""}</bdi>
                        </button>
                        <span class="quiet">{word(t.state)}{t.try_number > 1 ? `, try ${t.try_number}` : ""}</span>
                        <Lasted start={t.start_date} end={t.end_date} />
                    </li>
                ))}
            </ul>
            {total > 400 && <p class="quiet">The first 400 of {total}; the grid has them all.</p>}
        </>
    );
}

/** A note of a run or a task, written in place. */
export function Note({ note, save, done }: { note: string | null; save: (note: string | null) => Promise<Answer<unknown>>; done: () => void }) {
    const [text, setText] = useState<string>();
    const [wrong, setWrong] = useState<string>();
    const keep = async (e: Event) => {
        e.preventDefault();
        const got = await save(text || null);
        if (!got.ok) return setWrong(got.problem.what);
        setText(undefined);
        done();
    };
    if (text === undefined) return <p class="wf-note">{note ? <bdi>{note}</bdi> : <span class="quiet">No note.</span>} <Act kind="bare" onClick={() => setText(note ?? "")}>{note ? "Change" : "Add a note"}</Act></p>;
    return (
        <form class="stack" onSubmit={keep}>
            <Input label="Note" value={text} set={setText} focus wrong={wrong} />
            <div class="buttons"><Button kind="main" type="submit">Keep</Button><Button onClick={() => setText(undefined)}>Cancel</Button></div>
        </form>
    );
}
