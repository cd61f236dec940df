/** A cell's SELECT becomes a stream or a view of the project: drafted, planned, written into pipeline.sql, running. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Button, Check, Command, Dialog, Editor, Failed, Finding, Input, Segments, State, api, at, completeSql, plural, shell, type PlanFinding, type Problem } from "../../kit";

interface Draft {
    text: string;
    columns: { name: string; type: string; guessed: boolean }[];
    key: string[];
    key_is_fixed: boolean;
    makes_table: boolean;
}
interface Checked {
    version: string;
    behind: boolean;
    line: number;
    plan: { errors: number; warnings: number; findings: PlanFinding[] };
}
interface Growth {
    path: string;
    line: number;
    started: string[];
}
type As = "stream" | "view";

const REST_MS = 400;
/** The findings of the part that is to come stand first; those of the rest of the file are not this dialog's. */
const lineOf = (f: PlanFinding): number => Number(/:(\d+)(:\d+)?$/.exec(f.where)?.[1] ?? Infinity);

/** Asks a moment after `key` has last changed; what an older question is told comes to nothing. */
function useAsked<T>(key: string | null, ask: (signal: AbortSignal) => Promise<{ ok: true; value: T } | { ok: false; problem: Problem }>) {
    const [got, set] = useState<{ key: string | null; value?: T; problem?: Problem }>({ key: null });
    useEffect(() => {
        if (key === null) return undefined;
        const stop = new AbortController();
        const timer = setTimeout(() => void ask(stop.signal).then((a) => !stop.signal.aborted && set(a.ok ? { key, value: a.value } : { key, problem: a.problem })), REST_MS);
        return () => {
            stop.abort();
            clearTimeout(timer);
        };
    }, [key]);
    return got.key === key ? got : { key };
}

export function Promote({ select, close }: { select: string; close: () => void }) {
    const [as, setAs] = useState<As>("stream");
    const [name, setName] = useState("");
    const [into, setInto] = useState("");
    const [key, setKey] = useState<string[]>([]);
    const [text, setText] = useState("");
    const [busy, setBusy] = useState(false);
    const [refused, setRefused] = useState<Problem>();
    const [done, setDone] = useState<Growth>();
    const named = name.trim() && (as === "view" || /^.+\..+$/.test(into.trim()));
    const body = { select, as, name: name.trim(), ...(as === "stream" && { into: into.trim() }), key };
    const draft = useAsked<Draft>(named ? JSON.stringify(body) : null, (signal) => api.post<Draft>("pipeline/draft", body, { signal }));
    const seen = useRef<Draft>();
    useEffect(() => {
        if (!draft.value || draft.value === seen.current) return;
        seen.current = draft.value;
        setText(draft.value.text);
    }, [draft.value]);
    const checked = useAsked<Checked>(text.trim() ? text : null, (signal) => api.post<Checked>("pipeline/check", { text }, { signal }));
    const columns = draft.value ?? seen.current;
    const chosen = key.length ? key : (columns?.key ?? []);
    const plan = checked.value;
    const mine = plan?.plan.findings.filter((f) => f.severity === "error" || lineOf(f) >= plan.line) ?? [];
    const run = async () => {
        setBusy(true);
        setRefused(undefined);
        const got = await api.post<Growth>("pipeline/add", { text, version: plan!.version });
        setBusy(false);
        if (got.ok) setDone(got.value);
        else setRefused(got.problem);
    };
    if (done) return <Done of={done} as={as} into={into.trim()} name={name.trim()} close={close} />;
    const command = `cat >> pipeline.sql <<'SQL'\n\n${text.trim()}\nSQL\nsluice plan`;
    return (
        <Dialog title="Promote to the pipeline" wide onClose={close} foot={
            <div class="buttons">
                <Button kind="main" busy={busy} disabled={!plan || plan.behind || plan.plan.errors > 0} onClick={() => void run()}>{busy ? "Waiting" : as === "view" ? "Write and run the view" : "Write and run the stream"}</Button>
                <Button onClick={close}>Cancel</Button>
                {text && <Command text={command} quiet />}
            </div>
        }>
            <div class="stack">
                <Segments label="It becomes" value={as} set={(v) => (setAs(v), setKey([]))} of={[{ value: "stream", label: "Stream into a table" }, { value: "view", label: "Materialized view" }]} />
                <div class="nb-promote-names">
                    <Input label="Name" value={name} set={setName} required focus mono hint={as === "view" ? "The view's, and its table's" : "The stream's"} />
                    {as === "stream" && <Input label="Table" value={into} set={setInto} required mono placeholder="keyspace.table" hint="Made, when it is not there" />}
                </div>
                {draft.problem && <Failed problem={draft.problem} />}
                {columns && (
                    <fieldset class="nb-promote-key">
                        <legend>{columns.key_is_fixed ? "The table is there; its key" : "What tells rows apart (the key)"}</legend>
                        {columns.columns.map((c) => (
                            <Check key={c.name} disabled={columns.key_is_fixed} value={chosen.includes(c.name)} set={(on) => setKey(on ? [...chosen, c.name] : chosen.filter((k) => k !== c.name))}
                                label={<><bdi>{c.name}</bdi> <span class="quiet">{c.type}{c.guessed ? ", as the last records have it" : ""}</span></>} />
                        ))}
                    </fieldset>
                )}
                {text && <Editor label="What is written into pipeline.sql" language="sql" value={text} set={setText} complete={completeSql} rows={8} />}
                {checked.problem && <Failed problem={checked.problem} />}
                <div class="nb-promote-plan" role="status">
                    {text && !plan && !checked.problem && <p class="quiet">Planning.</p>}
                    {plan && (plan.plan.errors ? <p><State of="failed" word={plural(plan.plan.errors, "error")} /> It would not start.</p> : <p>The plan has no error. It begins at <code>pipeline.sql:{plan.line}</code>.</p>)}
                    {plan?.behind && <p><State of="waiting" word="behind" tone="warn" /> pipeline.sql holds changes that do not run yet: start the server again first.</p>}
                    {mine.map((f, i) => <Finding key={i} of={f} />)}
                </div>
                {refused && <Failed problem={refused} />}
            </div>
        </Dialog>
    );
}

function Done({ of, as, into, name, close }: { of: Growth; as: As; into: string; name: string; close: () => void }) {
    const table = as === "view" ? (name.includes(".") ? name : `views.${name}`) : into;
    const [keyspace, ...rest] = table.split(".");
    return (
        <Dialog title="It runs" onClose={close} foot={<div class="buttons"><Button kind="main" onClick={close}>Done</Button></div>}>
            <div class="stack">
                <p>{of.started.map((s) => <><a href={at("streams", s)}><bdi>{s}</bdi></a> </>)}runs; <code>{of.path}:{of.line}</code> holds it.</p>
                <p>Its rows: <a href={at("tables", keyspace!, rest.join("."))}><bdi>{table}</bdi></a></p>
                <Command text={`sluice query ${shell(`SELECT * FROM ${table} LIMIT 5`)}`} />
            </div>
        </Dialog>
    );
}
