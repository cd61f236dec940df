/** The topic's settings, by Kafka's names: its own ones first; a row opens with what it means and a field to change it. */
import { useState } from "preact/hooks";
import { Await, Button, Command, Failed, Facts, Forbidden, Input, Select, Table, api, may, shell, toast, useGet, type Column, type Problem } from "../../kit";
import { type Setting } from "./shape";

const COLUMNS: Column<Setting>[] = [
    { key: "name", title: "Setting", of: (s) => s.name, mono: true, width: "minmax(200px, 1fr)" },
    { key: "value", title: "Value", of: (s) => s.value, mono: true, width: "minmax(120px, 1fr)", cell: (s) => (s.value === "" ? <span class="none">(empty)</span> : <bdi class={s.own ? "setting-own" : "quiet"}>{s.value}</bdi>) },
    { key: "from", title: "From", of: (s) => (s.own ? "topic" : "default"), width: "80px", wide: true },
    { key: "about", title: "What it does", of: (s) => (s.kept_only ? "kept only: " : "") + s.about, width: "minmax(200px, 2fr)", wide: true },
];

export function Settings({ topic, internal }: { topic: string; internal: boolean }) {
    const got = useGet<Setting[]>(`topics/${encodeURIComponent(topic)}/settings`);
    return (
        <Await of={got} what="the settings" lines={10}>
            {(value) => (
                <Table label="Settings" id="c" rows={[...value].sort((a, b) => Number(b.own) - Number(a.own))} rowKey={(s) => s.name} columns={COLUMNS}
                    panel={(s) => <Change key={s.name + s.value} topic={topic} of={s} internal={internal} onDone={got.reload} />}
                    note={<Command text={`sluice topics config ${shell(topic)}`} />} />
            )}
        </Await>
    );
}

function Change({ topic, of: s, internal, onDone }: { topic: string; of: Setting; internal: boolean; onDone: () => void }) {
    const [value, setValue] = useState(s.value);
    const [problem, setProblem] = useState<Problem>();
    const [busy, setBusy] = useState(false);
    const change = async (to: string | null) => {
        setBusy(true);
        const got = await api.patch(`topics/${encodeURIComponent(topic)}/settings`, { settings: { [s.name]: to } });
        setBusy(false);
        if (!got.ok) return setProblem(got.problem);
        toast(to === null ? `${s.name} is back at its default.` : `${s.name} is ${to}.`);
        onDone();
    };
    return (
        <form class="stack" onSubmit={(e) => (e.preventDefault(), void change(value))}>
            <p>{s.about}</p>
            {s.kept_only && <p class="quiet">Accepted and shown, without effect here.</p>}
            <Facts of={[["In force", <code>{s.value || "(empty)"}</code>], ["Default", <code>{s.default || "(empty)"}</code>], ["Type", s.kind]]} />
            {internal ? <p class="quiet">The coordinators keep their own topics' settings.</p> : !may("op") ? <Forbidden role="Op" /> : (
                <>
                    {s.kind === "bool" ? <Select label="New value" value={value} set={setValue} of={["true", "false"]} /> : <Input label="New value" value={value} set={setValue} mono />}
                    {problem && <Failed problem={problem} />}
                    <div class="buttons">
                        <Button type="submit" kind="main" busy={busy} disabled={value === s.value}>Change</Button>
                        {s.own && <Button busy={busy} onClick={() => void change(null)}>Back to the default</Button>}
                    </div>
                    <Command text={`sluice topics config ${shell(topic)} --config ${shell(`${s.name}=${value}`)}`} />
                </>
            )}
        </form>
    );
}
