/** Runs for the past: which dates, shown before; and the backfills there are. */
import { useState } from "preact/hooks";
import { Ago, Button, Command, Confirm, Dialog, Empty, Facts, Failed, Input, Segments, State, Table, TextArea, Check, api, at, shell, toast, toastProblem, type Column, type Got, type Problem } from "../../kit";
import { V2, type Backfill, type DagDetails } from "./api";
import { Act, NotAllowed } from "./parts";
import { scheduleWords } from "./schedule";

interface Dry {
    backfills: { logical_date: string }[];
    total_entries: number;
}
type Reprocess = "none" | "failed" | "completed";

const today = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

export function BackfillForm({ dag, onClose, onDone }: { dag: DagDetails; onClose: () => void; onDone: () => void }) {
    const [from, setFrom] = useState(today(7));
    const [to, setTo] = useState(today(1));
    const [reprocess, setReprocess] = useState<Reprocess>("none");
    const [most, setMost] = useState("10");
    const [backwards, setBackwards] = useState(false);
    const [conf, setConf] = useState("");
    const [dry, setDry] = useState<{ key: string; of: Dry }>();
    const [problem, setProblem] = useState<Problem>();
    const [busy, setBusy] = useState(false);
    let parsed: Record<string, unknown> | undefined;
    try {
        parsed = conf.trim() ? (JSON.parse(conf) as Record<string, unknown>) : {};
        if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) parsed = undefined;
    } catch {
        parsed = undefined;
    }
    const day = (d: string) => (d.length === 10 ? `${d}T00:00:00Z` : `${d}${d.length === 16 ? ":00" : ""}Z`);
    const body = { dag_id: dag.dag_id, from_date: day(from), to_date: day(to), reprocess_behavior: reprocess, max_active_runs: Number(most) || 1, run_backwards: backwards, dag_run_conf: parsed ?? {} };
    const key = JSON.stringify(body);
    const preview = async () => {
        setBusy(true);
        setProblem(undefined);
        const got = await api.post<Dry>(`${V2}/backfills/dry_run`, body);
        setBusy(false);
        if (got.ok) setDry({ key, of: got.value });
        else setProblem(got.problem);
    };
    const run = async (e: Event) => {
        e.preventDefault();
        if (busy || !parsed) return;
        if (dry?.key !== key) return preview();
        setBusy(true);
        const got = await api.post<Backfill>(`${V2}/backfills`, body);
        setBusy(false);
        if (!got.ok) return setProblem(got.problem);
        toast(`A backfill of ${dry.of.total_entries} ${dry.of.total_entries === 1 ? "run" : "runs"} is made.`);
        onDone();
    };
    const shown = dry?.key === key ? dry.of : undefined;
    return (
        <Dialog title={`Backfill ${dag.dag_id}`} onClose={onClose} wide>
            <form class="stack" onSubmit={run}>
                <p class="quiet">Its schedule: {scheduleWords(dag)}. A run is made for each of its dates from the first to the last, both included.</p>
                <div class="fields wf-two">
                    <Input label="From (UTC)" type={from.length > 10 ? "datetime-local" : "date"} required value={from} set={setFrom} />
                    <Input label="To (UTC)" type={to.length > 10 ? "datetime-local" : "date"} required value={to} set={setTo} />
                </div>
                <div class="field"><span class="wf-label" id="wf-again">Dates that have a run already</span>
                    <Segments label="Dates that have a run already" value={reprocess} set={setReprocess} of={[{ value: "none", label: "Leave them" }, { value: "failed", label: "Again if failed" }, { value: "completed", label: "Again" }]} />
                </div>
                <Input label="Runs at once" type="number" min={1} value={most} set={setMost} />
                <Check label="The newest date first" value={backwards} set={setBackwards} />
                <TextArea label="Conf of its runs, as JSON" mono rows={2} value={conf} set={setConf} wrong={parsed ? undefined : "An object: {\"name\": value}"} />
                {shown && (
                    <div class="wf-preview" role="status">
                        <p><b class="num">{shown.total_entries}</b> {shown.total_entries === 1 ? "run" : "runs"} will be made{shown.total_entries ? ":" : "."}</p>
                        {shown.total_entries > 0 && <ul class="wf-dates" tabIndex={0} aria-label="Logical dates">{shown.backfills.slice(0, 1000).map((b) => <li key={b.logical_date} class="num">{b.logical_date}</li>)}</ul>}
                    </div>
                )}
                {problem && <Failed problem={problem} />}
                <div class="buttons">
                    {shown && shown.total_entries > 0 ? <Button kind="main" type="submit" busy={busy}>Make {shown.total_entries} {shown.total_entries === 1 ? "run" : "runs"}</Button> : <Button kind="main" type="submit" busy={busy} disabled={!parsed}>Preview</Button>}
                    <Button onClick={onClose}>Cancel</Button>
                    <Command text={`sluice dags backfill ${shell(dag.dag_id)} --from ${from} --to ${to}${reprocess === "none" ? "" : ` --reprocess ${reprocess}`}${backwards ? " --backwards" : ""}${shown ? "" : " --dry-run"}`} />
                </div>
            </form>
        </Dialog>
    );
}

export function Backfills({ of, dag }: { of: Got<{ rows: Backfill[]; total: number }>; dag: string }) {
    const [cancel, setCancel] = useState<Backfill>();
    if (of.problem) return <Failed problem={of.problem} retry={of.reload} />;
    const pause = async (b: Backfill) => {
        const got = await api.put(`${V2}${at("backfills", b.id, b.is_paused ? "unpause" : "pause")}`);
        if (!got.ok) toastProblem(got.problem);
        of.reload();
    };
    const stateOf = (b: Backfill) => (b.completed_at ? "finished" : b.is_paused ? "paused" : "running");
    const columns: Column<Backfill>[] = [
        { key: "id", title: "No", width: "56px", of: (b) => b.id },
        { key: "from", title: "From", width: "minmax(96px, 1fr)", of: (b) => b.from_date.slice(0, 16).replace("T", " ") },
        { key: "to", title: "To", width: "minmax(96px, 1fr)", of: (b) => b.to_date.slice(0, 16).replace("T", " ") },
        { key: "state", title: "State", width: "104px", of: stateOf, cell: (b) => <State of={stateOf(b)} /> },
        { key: "made", title: "Made", width: "96px", wide: true, of: (b) => b.created_at, cell: (b) => <Ago at={b.created_at} /> },
        { key: "most", title: "At once", width: "72px", right: true, wide: true, of: (b) => b.max_active_runs },
    ];
    return (
        <>
            <NotAllowed what="Pausing and cancelling" />
            <Table id="b" label="Backfills" rows={of.value?.rows} rowKey={(b) => String(b.id)} columns={columns} sort="-id"
                panel={(b) => (
                    <div class="stack">
                        <Facts of={[["Dates", `${b.from_date} to ${b.to_date}`], ["State", <State of={stateOf(b)} />], ["Made", <Ago at={b.created_at} />], ["Ended", <Ago at={b.completed_at} />], ["Runs at once", b.max_active_runs], ["Dates with a run", { none: "are left", failed: "again if failed", completed: "again" }[b.reprocess_behavior] ?? b.reprocess_behavior]]} />
                        {!b.completed_at && <div class="buttons"><Act onClick={() => void pause(b)}>{b.is_paused ? "Go on" : "Pause"}</Act><Act kind="danger" onClick={() => setCancel(b)}>Cancel it</Act></div>}
                    </div>
                )}
                empty={<Empty title="No backfills." action={<Command text={`sluice dags backfill ${shell(dag)} --from DATE --to DATE --dry-run`} />}>A backfill makes runs for dates of the past.</Empty>} />
            {cancel && (
                <Confirm title={`Cancel backfill ${cancel.id}`} verb="Cancel the backfill" danger act={() => api.put(`${V2}${at("backfills", cancel.id, "cancel")}`)} onDone={() => (setCancel(undefined), of.reload())} onClose={() => setCancel(undefined)}>
                    <p>Its runs that wait will fail; those that run go on to their end.</p>
                </Confirm>
            )}
        </>
    );
}
