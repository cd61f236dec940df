/** The rules: state, parts with their figures; made, muted, changed, removed. */
import { useState } from "preact/hooks";
import { Ago, Button, Confirm, Empty, Facts, FormDialog, Icon, Input, Select, State, Table, TextArea, api, at, may, toast, toastProblem, useGet } from "../../kit";
import { figure, inWords, type Measure, type Receiver, type Rule } from "./shape";

const FOR = { ready: "comes with Sluice", "alerts.yaml": "alerts.yaml", console: "made here" };
const to = (name: string): string => at("alerts", "rules", name).slice(1);
const isMuted = (r: Rule): boolean => r.muted_until_ms > Date.now();

export function RuleList({ rules }: { rules: Rule[] | undefined }) {
    const [edit, setEdit] = useState<Rule | null | undefined>();
    const [drop, setDrop] = useState<Rule>();
    const allowed = may("Op");
    return (
        <>
            <Table id="rules" label="Rules" rows={rules} rowKey={(r) => r.name} what="the rules" tone={(r) => (r.state === "firing" ? "bad" : r.state === "pending" || r.trouble ? "warn" : undefined)}
                tools={<Button disabled={!allowed} title={allowed ? undefined : "This needs the role Op"} onClick={() => setEdit(null)}><Icon name="plus" /> New rule</Button>}
                columns={[
                    { key: "name", title: "Rule", width: "minmax(160px, 1.2fr)", of: (r) => r.name, cell: (r) => <bdi>{r.name}</bdi> },
                    { key: "state", title: "State", width: "108px", of: (r) => r.state, cell: (r) => (r.trouble ? <State of="error" word="not judged" tone="warn" /> : isMuted(r) ? <State of={r.state} word={`${r.state}, muted`} /> : <State of={r.state} />) },
                    { key: "when", title: "Fires at", width: "minmax(200px, 2fr)", wide: true, of: (r) => inWords(r), cell: (r) => <bdi title={inWords(r)}>{inWords(r)}</bdi> },
                    { key: "severity", title: "Severity", width: "88px", wide: true, of: (r) => r.severity },
                    { key: "parts", title: "Parts", width: "64px", right: true, of: (r) => r.parts.length },
                    { key: "origin", title: "From", width: "136px", wide: true, of: (r) => FOR[r.origin] },
                ]}
                panel={(r) => <RulePanel rule={r} allowed={allowed} edit={() => setEdit(r)} drop={() => setDrop(r)} />}
                empty={<Empty title="No rules." />} />
            {edit !== undefined && <RuleForm of={edit} done={() => setEdit(undefined)} close={() => setEdit(undefined)} />}
            {drop && (
                <Confirm title={`Remove rule ${drop.name}`} verb="Remove rule" act={() => api.delete(to(drop.name))} onDone={() => (toast("The rule is removed."), setDrop(undefined))} onClose={() => setDrop(undefined)}>
                    <p>It is judged no more. What happened stays in the history.</p>
                </Confirm>
            )}
        </>
    );
}

function RulePanel({ rule: r, allowed, edit, drop }: { rule: Rule; allowed: boolean; edit: () => void; drop: () => void }) {
    const mute = async (hours: number) => {
        const got = await api.post(`${to(r.name)}/mute`, { until_ms: hours ? Date.now() + hours * 3600_000 : 0 });
        if (got.ok) toast(hours ? `Nobody is told of it for ${hours} h.` : "It is told again.");
        else toastProblem(got.problem);
    };
    const why = allowed ? undefined : "This needs the role Op";
    const fixed = r.origin === "alerts.yaml" ? "It stands in alerts.yaml: change it there" : why;
    return (
        <div class="stack">
            <Facts of={[["Fires at", inWords(r)], ["Severity", r.severity], ["What to do", r.hint && <bdi>{r.hint}</bdi>], ["Told", r.notify.length ? r.notify.join(", ") : "every receiver"], ["From", FOR[r.origin]], isMuted(r) && ["Muted until", <Ago at={r.muted_until_ms} />]]} />
            {r.watch === "sql" && <pre class="json-raw">{r.of}</pre>}
            {r.trouble && <pre class="json-raw" role="alert">{r.trouble}</pre>}
            <Table id="parts" label="Parts" rows={r.parts} rowKey={(p) => p.name} filter={false} height="240px" sort="-state" tone={(p) => (p.state === "firing" ? "bad" : p.state === "pending" ? "warn" : undefined)}
                columns={[
                    { key: "name", title: "Part", of: (p) => p.name, cell: (p) => <bdi>{p.name || "all of it"}</bdi> },
                    { key: "value", title: "Now", right: true, width: "128px", of: (p) => p.value, cell: (p) => <span class="live">{figure(p.value, r.unit)}</span> },
                    { key: "state", title: "State", width: "88px", of: (p) => p.state, cell: (p) => <State of={p.state} /> },
                    { key: "since", title: "Since", width: "88px", right: true, of: (p) => p.since_ms, cell: (p) => <Ago at={p.since_ms} /> },
                ]}
                empty={<Empty title="Nothing to look at yet." />} />
            <div class="buttons">
                {isMuted(r) ? <Button disabled={!allowed} title={why} onClick={() => mute(0)}>Tell again</Button> : <><Button disabled={!allowed} title={why} onClick={() => mute(1)}>Mute 1 h</Button><Button disabled={!allowed} title={why} onClick={() => mute(24)}>Mute 24 h</Button></>}
                <Button disabled={Boolean(fixed)} title={fixed} onClick={edit}><Icon name="edit" /> Change</Button>
                {r.origin === "console" && <Button kind="danger" disabled={!allowed} title={why} onClick={drop}><Icon name="trash" /> Remove</Button>}
            </div>
        </div>
    );
}

/** 90000 -> "90s": as the form and alerts.yaml say it. */
function span(ms: number): string {
    for (const [unit, size] of [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const) if (ms && ms % size === 0) return ms / size + unit;
    return ms ? `${ms}ms` : "0s";
}

function RuleForm({ of, done, close }: { of: Rule | null; done: () => void; close: () => void }) {
    const asked = useGet<Measure[]>("alerts/measures");
    const measures = asked.value;
    const receivers = useGet<{ receivers: Receiver[] }>("alerts/receivers").value?.receivers;
    const [name, setName] = useState(of?.name ?? "");
    const [watch, setWatch] = useState(of?.watch ?? "lag");
    const [what, setWhat] = useState(of?.of ?? "");
    const [side, setSide] = useState(of?.below !== undefined ? "below" : "above");
    const [limit, setLimit] = useState(String(of?.above ?? of?.below ?? 0));
    const [time, setTime] = useState(span(of?.for ?? 0));
    const [severity, setSeverity] = useState(of?.severity ?? "warning");
    const [hint, setHint] = useState(of?.hint ?? "");
    const [notify, setNotify] = useState(of?.notify.join(", ") ?? "");
    const measure = measures?.find((m) => m.name === watch);
    const wrong = limit.trim() !== "" && Number.isFinite(Number(limit)) ? undefined : "A number";
    const act = () =>
        api.put(to(name.trim()), {
            watch, of: what, [side]: Number(limit), for: time || "0s", severity, hint,
            notify: notify.split(",").map((n) => n.trim()).filter(Boolean),
        });
    return (
        <FormDialog title={of ? `Change ${of.name}` : "New rule"} act={act} done={() => (toast("The rule is kept."), done())} close={close}>
            <Input label="Name" value={name} set={setName} required {...(of ? { disabled: true } : { focus: true })} />
            <Select label="Watches" value={watch} set={setWatch} of={(measures ?? []).map((m) => ({ value: m.name, label: m.name.replaceAll("_", " ") }))} hint={measure?.about} wrong={asked.problem?.what} />
            {watch === "sql" ? <TextArea label="Query" mono rows={4} value={what} set={setWhat} required /> : <Input label="Of" value={what} set={setWhat} mono placeholder="all" required={watch.startsWith("metric")} />}
            <div class="row">
                <Select label="Wrong" value={side} set={setSide} of={["above", "below"]} />
                <Input label={measure?.unit ? `Limit (${measure.unit})` : "Limit"} value={limit} set={setLimit} wrong={wrong} />
                <Input label="For" value={time} set={setTime} hint="30s, 5m, 2h" />
            </div>
            <Select label="Severity" value={severity} set={setSeverity} of={["info", "warning", "critical"]} />
            <Input label="What to do" value={hint} set={setHint} />
            <Input label="Told" value={notify} set={setNotify} placeholder="every receiver" {...(receivers?.length && { list: receivers.map((r) => r.name) })} hint="Names, with commas" />
        </FormDialog>
    );
}
