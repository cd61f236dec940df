/** A task instance: its log as it comes, its tries, what it ran with, what came out, and what was done to it. */
import { useState } from "preact/hooks";
import { Ago, Await, Facts, Failed, Loading, Section, Segments, Select, api, duration, may, param, setQuery, shell, Command } from "../../kit";
import { V2, channel, dagAt, runAt, taskAt, useList, useOne, type Delta, type EventLog, type Instance, type Task, type Xcom } from "./api";
import { ClearTask, MarkTask } from "./clear";
import type { Choose } from "./grid_view";
import { Log } from "./log";
import { Act, Json, Lasted, NotAllowed, Square, TaskState } from "./parts";
import { Note } from "./run";
import { over, tally, word } from "./states";

const deltaWords = (d: Delta | null): string | null => (d ? duration(((d.days * 86400 + d.seconds) * 1e6 + d.microseconds) / 1000) : null);

export function TaskPanel({ dag, run, task, choose }: { dag: string; run: string; task: string; choose: Choose }) {
    const watch = channel("run", dag, run);
    const all = useList<Instance>(runAt(dag, run, "taskInstances"), "task_instances", { task_id: task }, watch, 1100);
    const rows = all.value?.rows;
    const wanted = param("map");
    const mapped = rows?.some((r) => r.map_index >= 0) ?? false;
    if (all.problem) return <Failed problem={all.problem} retry={all.reload} />;
    if (!rows) return <Loading what="the task" />;
    const one = mapped ? rows.find((r) => String(r.map_index) === wanted) : rows[0];
    return (
        <div class="stack">
            <p class="quiet wf-up">in <button type="button" class="wf-link" onClick={() => choose(run)}><bdi class="mono">{run}</bdi></button></p>
            {mapped && <Mapped of={rows} chosen={wanted} set={(i) => setQuery({ map: i, try: null }, { step: true })} />}
            {one ? <One key={one.map_index} dag={dag} of={one} watch={watch} reload={all.reload} /> : !mapped && <p>This run has no such task.</p>}
            {!one && mapped && <p class="quiet">Choose one of its instances.</p>}
        </div>
    );
}

function Mapped({ of, chosen, set }: { of: Instance[]; chosen: string; set: (index: number) => void }) {
    const counts: Record<string, number> = {};
    for (const t of of) counts[t.state ?? "none"] = (counts[t.state ?? "none"] ?? 0) + 1;
    return (
        <Section title={`${of.length} instances`} note={tally(counts)}>
            <div class="wf-mapped" role="group" aria-label="Instances">
                {of.map((t) => (
                    <button type="button" key={t.map_index} class={`wf-map${String(t.map_index) === chosen ? " is-chosen" : ""}`} aria-pressed={String(t.map_index) === chosen} title={`${t.rendered_map_index ?? t.map_index}: ${word(t.state)}`} onClick={() => set(t.map_index)}>
                        <Square state={t.state} /> <bdi>{t.rendered_map_index ?? t.map_index}</bdi>
                    </button>
                ))}
            </div>
        </Section>
    );
}

const TABS = [["", "Log"], ["details", "Details"], ["rendered", "Rendered"], ["results", "Results"], ["tries", "Tries"], ["events", "Events"]] as const;

function One({ dag, of: t, watch, reload }: { dag: string; of: Instance; watch: string; reload: () => void }) {
    const [open, setOpen] = useState<"clear" | "success" | "failed" | "skipped">();
    const tab = param("tab");
    const tries = useList<Instance>(taskAt(dag, t.dag_run_id, t.task_id, t.map_index, "tries"), "task_instances", {}, watch, 200);
    const close = () => setOpen(undefined);
    const done = () => (close(), reload(), tries.reload());
    const many = tries.value?.rows.length ?? 0;
    const asked = Number(param("try"));
    const number = asked && tries.value?.rows.some((r) => r.try_number === asked) ? asked : (tries.value?.rows[many - 1]?.try_number ?? 0);
    const place = { dag, run: t.dag_run_id, task: t.task_id, index: t.map_index, onClose: close, onDone: done };
    const shownTry = tries.value?.rows.find((r) => r.try_number === number);
    return (
        <>
            <p class="wf-state"><TaskState of={t.state} /> {t.try_number > 0 && <span class="quiet">try {t.try_number} of {Math.max(t.max_tries + 1, t.try_number)}</span>} <Lasted start={t.start_date} end={t.end_date} /></p>
            <div class="buttons">
                <Act onClick={() => setOpen("clear")}>Clear</Act>
                {t.state !== "success" && <Act onClick={() => setOpen("success")}>Mark success</Act>}
                {t.state !== "failed" && <Act {...(!over(t.state) && { kind: "danger" as const })} onClick={() => setOpen("failed")}>{t.state === "running" ? "Stop" : "Mark failed"}</Act>}
                {t.state !== "skipped" && <Act onClick={() => setOpen("skipped")}>Mark skipped</Act>}
            </div>
            <NotAllowed what="Clearing and marking" />
            <nav class="tabs" aria-label="Parts of the task">
                {TABS.map(([key, title]) => <button type="button" key={key} class="wf-tab" aria-current={tab === key ? "page" : undefined} onClick={() => setQuery({ tab: key || null })}>{title}</button>)}
            </nav>
            {many > 1 && (tab === "" || tab === "tries") && (
                <div class="wf-grid-tools">
                    {many <= 8 ? <Segments label="Try" value={String(number)} set={(v) => setQuery({ try: v })} of={tries.value!.rows.map((r) => ({ value: String(r.try_number), label: `${r.try_number} ${word(r.state)}` }))} />
                        : <Select label="Try" hideLabel value={String(number)} set={(v) => setQuery({ try: v })} of={tries.value!.rows.map((r) => ({ value: String(r.try_number), label: `Try ${r.try_number}: ${word(r.state)}` }))} />}
                </div>
            )}
            {tab === "" && (number > 0 ? <Log key={number} dag={dag} run={t.dag_run_id} task={t.task_id} index={t.map_index} number={number} over={Boolean(shownTry?.end_date)} />
                : tries.value ? <p class="quiet">It has not been tried yet, so there is no log. {word(t.state)}.</p> : <Loading what="its tries" lines={3} />)}
            {tab === "details" && <Details dag={dag} of={t} />}
            {tab === "rendered" && (Object.keys(t.rendered_fields ?? {}).length ? <dl class="wf-rendered">{Object.entries(t.rendered_fields).map(([k, v]) => <div key={k}><dt><code>{k}</code></dt><dd><Json label={k} of={v} /></dd></div>)}</dl>
                : <p class="quiet">Nothing is rendered yet: its templates are filled in when a try starts.</p>)}
            {tab === "results" && <Results dag={dag} of={t} watch={watch} />}
            {tab === "tries" && shownTry && (
                <Facts of={[["Try", shownTry.try_number], ["State", <TaskState of={shownTry.state} />], ["Queued", <Ago at={shownTry.queued_when} />], ["Started", <Ago at={shownTry.start_date} />], ["Ended", <Ago at={shownTry.end_date} />], ["Took", <Lasted start={shownTry.start_date} end={shownTry.end_date} />], ["Process", shownTry.pid], ["Host", shownTry.hostname]]} />
            )}
            {tab === "tries" && !shownTry && <p class="quiet">It has not been tried yet.</p>}
            {tab === "events" && <Events dag={dag} of={t} />}
            <Note note={t.note} save={(note) => api.patch(`${taskAt(dag, t.dag_run_id, t.task_id, t.map_index)}?update_mask=note`, { note })} done={reload} />
            <Command text={`sluice tasks logs ${shell(dag)} ${shell(t.task_id)} ${shell(t.dag_run_id)}${t.map_index >= 0 ? ` --map-index ${t.map_index}` : ""}`} />
            {open === "clear" && <ClearTask {...place} />}
            {(open === "success" || open === "failed" || open === "skipped") && <MarkTask {...place} first={open} />}
        </>
    );
}

function Details({ dag, of: t }: { dag: string; of: Instance }) {
    const task = useOne<Task>(dagAt(dag, "tasks", t.task_id));
    const why = useOne<{ dependencies: { name: string; reason: string }[] }>(over(t.state) ? null : taskAt(dag, t.dag_run_id, t.task_id, t.map_index, "dependencies"), channel("run", dag, t.dag_run_id));
    return (
        <>
            {why.value && why.value.dependencies.length > 0 && <p class="note">It waits: {why.value.dependencies.map((d) => d.reason).join("; ")}</p>}
            <Facts of={[
                ["Kind", t.operator],
                ["Scheduled", <Ago at={t.scheduled_when} />], ["Queued", <Ago at={t.queued_when} />], ["Started", <Ago at={t.start_date} />], ["Ended", <Ago at={t.end_date} />],
                ["Pool", `${t.pool}, ${t.pool_slots} ${t.pool_slots === 1 ? "slot" : "slots"}`],
                ["Priority", t.priority_weight],
                ["Process", t.pid], ["Host", t.hostname],
            ]} />
            <Await of={task} lines={4}>{(k) => (
                <Facts of={[
                    ["Runs when", k.trigger_rule.replaceAll("_", " ")],
                    ["Retries", k.retries ? `${k.retries}, ${deltaWords(k.retry_delay) ?? "at once"} apart${k.retry_exponential_backoff ? ", then longer" : ""}` : "none"],
                    ["May take", deltaWords(k.execution_timeout) ?? "as long as it takes"],
                    ["Owner", <bdi>{k.owner}</bdi>],
                    ["Followed by", k.downstream_task_ids.length ? <bdi>{k.downstream_task_ids.join(", ")}</bdi> : "nothing"],
                    k.depends_on_past && ["Waits for", "the same task of the run before"],
                    Boolean(k.doc_md) && ["About", <bdi>{k.doc_md}</bdi>],
                ]} />
            )}</Await>
        </>
    );
}

function Results({ dag, of: t, watch }: { dag: string; of: Instance; watch: string }) {
    const keys = useList<Xcom>(runAt(dag, t.dag_run_id, "taskInstances", t.task_id, "xcomEntries"), "xcom_entries", { map_index: t.map_index }, watch, 200);
    return (
        <Await of={keys} what="its results" lines={3}>{(v) => (v.rows.length ? (
            <dl class="wf-rendered">{v.rows.map((x) => <div key={x.key}><dt><code>{x.key}</code> <span class="quiet"><Ago at={x.timestamp} /></span></dt><dd><Value dag={dag} of={t} name={x.key} /></dd></div>)}</dl>
        ) : <p class="quiet">No result: it has not ended, or has none to give.</p>)}</Await>
    );
}

function Value({ dag, of: t, name }: { dag: string; of: Instance; name: string }) {
    const got = useOne<Xcom>(runAt(dag, t.dag_run_id, "taskInstances", t.task_id, "xcomEntries", name), channel("run", dag, t.dag_run_id), { map_index: t.map_index });
    return <Await of={got} lines={2}>{(x) => <Json label={name} of={x.value} />}</Await>;
}

function Events({ dag, of: t }: { dag: string; of: Instance }) {
    const whole = may("Admin"); // what was changed, in words, is theirs alone
    const got = useList<EventLog>(whole ? `${V2}/eventLogs` : `/ui/events/${encodeURIComponent(dag)}`, "event_logs", { ...(whole && { dag_id: dag }), run_id: t.dag_run_id, order_by: "-event_log_id" }, channel("run", dag, t.dag_run_id), 200);
    return (
        <Await of={got} what="events" lines={3}>{(v) => {
            const rows = v.rows.filter((e) => e.task_id === null || e.task_id === t.task_id);
            return rows.length ? (
                <ul class="wf-events">{rows.map((e) => <li key={e.event_log_id}><Ago at={e.when} /> <b>{e.event.replaceAll("_", " ")}</b> <bdi class="quiet">{e.owner}</bdi>{e.extra && <code class="wf-extra">{e.extra}</code>}</li>)}{!whole && <li class="quiet">What was changed, word for word, an admin sees.</li>}</ul>
            ) : <p class="quiet">No events of this task or its run.</p>;
        }}</Await>
    );
}
