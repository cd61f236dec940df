/** Every setting: what counts, where it comes from, what it may be. */
import { Command, Empty, Facts, Failed, Segments, State, Table, param, setQuery, shell, useGet } from "../../kit";
import { sourceWord, variableOf, type Setting } from "./shape";

export function Configuration() {
    const got = useGet<Setting[]>("system/settings");
    const only = param("only") === "changed";
    if (got.problem) return <Failed problem={got.problem} retry={got.reload} />;
    const rows = only ? got.value?.filter((s) => s.changed) : got.value;
    return (
        <Table label="Settings" rows={rows} rowKey={(s) => s.key} what="the settings"
            tools={<Segments label="Which" value={only ? "changed" : "all"} set={(v) => setQuery({ only: v === "all" ? null : v })} of={[{ value: "all", label: "All" }, { value: "changed", label: "Changed" }]} />}
            columns={[
                { key: "key", title: "Setting", of: (s) => s.key, mono: true, width: "minmax(140px, 1.2fr)" },
                { key: "value", title: "Value", of: (s) => s.value, cell: (s) => <Value of={s} />, mono: true, width: "minmax(96px, 1fr)" },
                { key: "source", title: "From", of: (s) => sourceWord(s), cell: (s) => <bdi class={s.changed ? "" : "quiet"} title={sourceWord(s)}>{sourceWord(s)}</bdi>, width: "minmax(88px, 0.9fr)" },
                { key: "about", title: "What it does", of: (s) => s.about, wide: true, width: "minmax(200px, 2.4fr)" },
            ]}
            panel={(s) => <Panel of={s} />}
            empty={<Empty title="No setting differs from its default.">They stand in <code>sluice.yaml</code>, in the environment, or after <code>--set</code>.</Empty>}
            note={<>Later ones win: the default, sluice.yaml, the environment, <code>--set</code>. Passwords are shown as ***.</>} />
    );
}

function Value({ of: s }: { of: Setting }) {
    return s.value ? <bdi title={s.value} class={s.changed ? "system-changed" : ""}>{s.value}</bdi> : <span class="none">none</span>;
}

function Panel({ of: s }: { of: Setting }) {
    const logs = s.key === "logs.level";
    return (
        <div class="stack">
            <p>{s.about}</p>
            <Facts of={[
                ["Value", <bdi class="mono">{s.value || "none"}</bdi>],
                ["Default", <bdi class="mono">{s.default || "none"}</bdi>],
                ["From", <bdi>{sourceWord(s)}</bdi>],
                ["Takes", s.takes],
                ["Takes effect", s.live ? <State of="good" tone="good" word="at once" /> : "at the next start"],
            ]} />
            {logs && <p>Room by room, while the server runs: <a href="/system?view=logs">Logs</a>.</p>}
            <p class="quiet">In sluice.yaml:</p>
            <Command text={`${s.key}: ${s.value || '""'}`} />
            <p class="quiet">In the environment:</p>
            <Command text={`${variableOf(s.key)}=${shell(s.value)}`} />
            <p class="quiet">On the command line:</p>
            <Command text={`sluice up --set ${s.key}=${shell(s.value)}`} />
        </div>
    );
}
