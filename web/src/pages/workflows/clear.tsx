/** Clearing and marking, with what it will touch shown before. */
import { useEffect, useState } from "preact/hooks";
import { Button, Check, Command, Dialog, Failed, Loading, api, shell, toast, type Answer, type Problem } from "../../kit";
import { dagAt, runAt, taskAt, type Instance } from "./api";
import { Touched } from "./parts";

type Preview = { task_instances: Instance[]; total_entries: number };

interface DialogProps {
    title: string;
    verb: string;
    danger?: boolean;
    options: { key: string; label: string; hint?: string }[];
    first?: Record<string, boolean>;
    preview: (on: Record<string, boolean>) => Promise<Answer<Preview>>;
    act: (on: Record<string, boolean>) => Promise<Answer<unknown>>;
    command: (on: Record<string, boolean>) => string;
    says: (n: number) => string;
    onClose: () => void;
    onDone: () => void;
}

/** Options, what they touch just now, and the act. */
function Previewed(p: DialogProps) {
    const [on, setOn] = useState<Record<string, boolean>>(p.first ?? {});
    const [shown, setShown] = useState<Preview>();
    const [problem, setProblem] = useState<Problem>();
    const [busy, setBusy] = useState(false);
    const key = JSON.stringify(on);
    useEffect(() => {
        let gone = false;
        setProblem(undefined);
        void p.preview(on).then((got) => {
            if (gone) return;
            if (got.ok) setShown(got.value);
            else setProblem(got.problem);
        });
        return () => void (gone = true);
    }, [key]);
    const run = async (e: Event) => {
        e.preventDefault();
        setBusy(true);
        const got = await p.act(on);
        setBusy(false);
        if (!got.ok) return setProblem(got.problem);
        toast(p.says(shown?.task_instances.length ?? 0));
        p.onDone();
    };
    return (
        <Dialog title={p.title} onClose={p.onClose} wide>
            <form class="stack" onSubmit={run}>
                <div class="wf-options">{p.options.map((o) => <Check key={o.key} label={o.label} {...(o.hint && { hint: o.hint })} value={Boolean(on[o.key])} set={(v) => setOn({ ...on, [o.key]: v })} />)}</div>
                {problem ? <Failed problem={problem} /> : shown ? <Touched of={shown.task_instances} /> : <Loading what="what it will touch" lines={3} />}
                <div class="buttons">
                    <Button kind={p.danger ? "danger" : "main"} type="submit" busy={busy} disabled={!shown || shown.task_instances.length === 0}>{busy ? "Waiting" : p.verb}</Button>
                    <Button onClick={p.onClose}>Cancel</Button>
                    <Command text={p.command(on)} />
                </div>
            </form>
        </Dialog>
    );
}

const REACH = [
    { key: "include_upstream", label: "With what comes before" },
    { key: "include_downstream", label: "With what follows" },
    { key: "include_past", label: "In earlier runs too" },
    { key: "include_future", label: "In later runs too" },
];
const words = (on: Record<string, boolean>): string => [on["include_upstream"] && " --upstream", on["include_downstream"] && " --downstream", on["include_past"] && " --past", on["include_future"] && " --future", on["only_failed"] && " --only-failed"].filter(Boolean).join("");

interface TaskProps {
    dag: string;
    run: string;
    task: string;
    index: number;
    onClose: () => void;
    onDone: () => void;
}

export function ClearTask({ dag, run, task, index, onClose, onDone }: TaskProps) {
    const body = (on: Record<string, boolean>, dry: boolean) => ({
        dry_run: dry, dag_run_id: run, task_ids: [index >= 0 ? [task, index] : task], only_failed: Boolean(on["only_failed"]), reset_dag_runs: true,
        ...Object.fromEntries(REACH.map((r) => [r.key, Boolean(on[r.key])])),
    });
    return (
        <Previewed title={`Clear ${task}`} verb="Clear" first={{ include_downstream: true }} onClose={onClose} onDone={onDone}
            options={[...REACH, { key: "only_failed", label: "Only what has failed" }]}
            preview={(on) => api.post(dagAt(dag, "clearTaskInstances"), body(on, true))} act={(on) => api.post(dagAt(dag, "clearTaskInstances"), body(on, false))}
            command={(on) => `sluice tasks clear ${shell(dag)} ${shell(task)} --run ${shell(run)}${index >= 0 ? ` --map-index ${index}` : ""}${words(on)}`}
            says={(n) => `${n} task ${n === 1 ? "instance is" : "instances are"} cleared, and will run again.`} />
    );
}

export function ClearRun({ dag, run, onClose, onDone }: Omit<TaskProps, "task" | "index">) {
    const body = (on: Record<string, boolean>, dry: boolean) => ({ dry_run: dry, only_failed: Boolean(on["only_failed"]) });
    return (
        <Previewed title={`Clear ${run}`} verb="Clear" onClose={onClose} onDone={onDone} options={[{ key: "only_failed", label: "Only what has failed" }]}
            preview={(on) => api.post(runAt(dag, run, "clear"), body(on, true))} act={(on) => api.post(runAt(dag, run, "clear"), body(on, false))}
            command={(on) => `sluice runs clear ${shell(dag)} ${shell(run)}${words(on)}`} says={(n) => `${n} task ${n === 1 ? "instance is" : "instances are"} cleared, and will run again.`} />
    );
}

export function MarkTask({ dag, run, task, index, onClose, onDone, first }: TaskProps & { first: "success" | "failed" | "skipped" }) {
    const state = first;
    const body = (on: Record<string, boolean>) => ({ new_state: state, ...Object.fromEntries(REACH.map((r) => [r.key, Boolean(on[r.key])])) });
    return (
        <Previewed title={`Mark ${task} ${state}`} verb={`Mark ${state}`} danger={state === "failed"} onClose={onClose} onDone={onDone} options={REACH}
            preview={(on) => api.patch(taskAt(dag, run, task, index, "dry_run"), body(on))} act={(on) => api.patch(taskAt(dag, run, task, index), body(on))}
            command={() => `sluice tasks mark ${shell(dag)} ${shell(task)} ${shell(run)} ${state}${index >= 0 ? ` --map-index ${index}` : ""}`}
            says={(n) => `${n} task ${n === 1 ? "instance is" : "instances are"} marked ${state}.`} />
    );
}
