/** A run made by hand: the dag's params as a form, more conf as JSON, a logical date, a note. */
import { useState } from "preact/hooks";
import { Await, Button, Check, Command, Dialog, Failed, Input, Select, TextArea, api, shell, toast, useGet, type Problem } from "../../kit";
import { dagAt, type DagDetails, type Run } from "./api";
import { confOf, fieldsOf, type ParamField } from "./forms";

interface Props {
    dag: string;
    onClose: () => void;
    onDone: (run: string) => void;
}

export function Trigger(p: Props) {
    const details = useGet<DagDetails>(dagAt(p.dag, "details"));
    return (
        <Dialog title={`Trigger ${p.dag}`} onClose={p.onClose} wide>
            <Await of={details} what="the dag's params" lines={4}>{(d) => <Form {...p} details={d} />}</Await>
        </Dialog>
    );
}

/** 2026-01-02T03:04 of a field, which is meant in UTC. */
const utc = (local: string): string => (local.length === 16 ? local + ":00Z" : local + "Z");

function Form({ dag, details, onDone, onClose }: Props & { details: DagDetails }) {
    const fields = fieldsOf(details.params);
    const [values, setValues] = useState<Record<string, string>>({});
    const [more, setMore] = useState("");
    const [id, setId] = useState("");
    const [logical, setLogical] = useState("");
    const [note, setNote] = useState("");
    const [unpause, setUnpause] = useState(details.is_paused);
    const [busy, setBusy] = useState(false);
    const [tried, setTried] = useState(false);
    const [problem, setProblem] = useState<Problem>();
    const got = confOf(fields, values, more);
    const wrong = "wrong" in got && tried ? got.wrong : {};
    const run = async (e: Event) => {
        e.preventDefault();
        setTried(true);
        if ("wrong" in got || busy) return;
        setBusy(true);
        setProblem(undefined);
        if (unpause && details.is_paused) {
            const on = await api.patch(`${dagAt(dag)}?update_mask=is_paused`, { is_paused: false });
            if (!on.ok) return setBusy(false), setProblem(on.problem);
        }
        const made = await api.post<Run>(dagAt(dag, "dagRuns"), {
            logical_date: logical ? utc(logical) : null, conf: got.conf, ...(id && { dag_run_id: id }), ...(note && { note }),
        });
        setBusy(false);
        if (!made.ok) return setProblem(made.problem);
        toast(`Run ${made.value.dag_run_id} is made.`);
        onDone(made.value.dag_run_id);
    };
    const conf = "conf" in got && Object.keys(got.conf).length ? ` --conf ${shell(JSON.stringify(got.conf))}` : "";
    const command = `sluice dags trigger ${shell(dag)}${conf}${id ? ` --run-id ${shell(id)}` : ""}${logical ? ` --logical-date ${utc(logical)}` : ""}`;
    return (
        <form class="stack" onSubmit={run}>
            {fields.length > 0 && (
                <fieldset class="fields wf-fields">
                    <legend>Params</legend>
                    {fields.map((f) => <ParamInput key={f.name} of={f} value={values[f.name] ?? f.value} set={(v) => setValues({ ...values, [f.name]: v })} wrong={wrong[f.name]} />)}
                </fieldset>
            )}
            <TextArea label={fields.length ? "More conf, as JSON" : "Conf, as JSON"} mono rows={3} value={more} set={setMore} placeholder='{"name": "value"}' wrong={wrong[""]} hint="Kept in dag_run.conf beside the params filled in above" />
            <div class="fields wf-two">
                <Input label="Logical date (UTC)" type="datetime-local" value={logical} set={setLogical} hint="Empty: a run without one" />
                <Input label="Run id" value={id} set={setId} mono hint="Empty: made from the time" />
            </div>
            <Input label="Note" value={note} set={setNote} />
            {details.is_paused && <Check label="Turn the dag on" value={unpause} set={setUnpause} hint="It is paused: a run of it would wait" />}
            {problem && <Failed problem={problem} />}
            <div class="buttons">
                <Button kind="main" type="submit" busy={busy}>{busy ? "Waiting" : "Trigger"}</Button>
                <Button onClick={onClose}>Cancel</Button>
                <Command text={command} />
            </div>
        </form>
    );
}

function ParamInput({ of: f, value, set, wrong }: { of: ParamField; value: string; set: (v: string) => void; wrong: string | undefined }) {
    const all = { label: f.label, hint: f.hint || undefined, wrong, value, set };
    if (f.kind === "yes") return <Check label={f.label} hint={f.hint || undefined} value={value === "true"} set={(v) => set(String(v))} />;
    if (f.kind === "choice") return <Select {...all} of={f.choices} />;
    if (f.kind === "json" || f.kind === "lines") return <TextArea {...all} mono rows={f.kind === "json" ? 4 : 3} />;
    if (f.kind === "integer" || f.kind === "number")
        return <Input {...all} type="number" step={f.kind === "integer" ? 1 : "any"} {...(f.schema.minimum !== undefined && { min: f.schema.minimum })} {...(f.schema.maximum !== undefined && { max: f.schema.maximum })} />;
    return <Input {...all} type={f.kind === "date" ? "date" : "text"} {...(f.schema.examples && { list: f.schema.examples.map(String) })} />;
}
