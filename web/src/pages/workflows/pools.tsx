/** Pools: how many tasks of a kind run at once, and how many slots are taken just now; and APIs' quotas, which sources and tasks share. */
import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { FormDialog, Check, Command, Empty, Facts, Input, api, at, count, shell } from "../../kit";
import { V2, type Pool } from "./api";
import { Things } from "./things";

const to = (name: string): string => V2 + at("pools", name);
const slots = (n: number): string => (n < 0 ? "any number" : count(n));
const span = (ms: number): string => (ms % 3600e3 === 0 ? `${ms / 3600e3} h` : ms % 60e3 === 0 ? `${ms / 60e3} min` : `${ms / 1e3} s`);
const given = (p: Pool) => (p.quota ? { why: "This is an API's quota, which sources and tasks share: rate_limit in pipeline.sql says how much it is.", command: "sluice pools quotas" } : undefined);

function facts(p: Pool): [string, ComponentChildren][] {
    if (p.quota) return [["Quota", `${count(p.slots)} records in ${span(p.quota.per_ms)}`], ["Taken", count(p.occupied_slots)], ["Free", count(p.open_slots)], ["Waiting", count(p.scheduled_slots)], ["About", <bdi>{p.description}</bdi>]];
    return [["Slots", slots(p.slots)], ["In use", `${p.occupied_slots}: ${p.running_slots} running, ${p.queued_slots} queued${p.include_deferred ? `, ${p.deferred_slots} deferred` : ""}`], ["Free", p.slots < 0 ? "any number" : p.open_slots], ["Waiting", `${p.scheduled_slots} scheduled`], ["About", <bdi>{p.description}</bdi>]];
}

/** Slots in use: running, queued, free. */
function Use({ of: p }: { of: Pool }) {
    const whole = p.slots < 0 ? Math.max(1, p.occupied_slots) : Math.max(p.slots, p.occupied_slots, 1);
    const part = (n: number) => ({ width: `${Math.min(100, (100 * n) / whole).toFixed(2)}%` });
    return (
        <span class="wf-use" title={p.quota ? `${p.occupied_slots} taken, ${p.open_slots} free` : `${p.running_slots} running, ${p.queued_slots} queued, ${p.slots < 0 ? "any number" : p.open_slots} free`}>
            <i class="is-running" style={part(p.running_slots)} /><i class="is-queued" style={part(p.queued_slots)} />
            <span class="hidden">{p.quota ? `${p.occupied_slots} taken` : `${p.running_slots} running, ${p.queued_slots} queued`}</span>
        </span>
    );
}

export function Pools() {
    return (
        <Things<Pool> label="Pools" one="pool" path="/ui/pools" list="pools" keyOf={(p) => p.name} at={to} command="sluice pools"
            given={given}
            fixed={(p) => (p.name === "default_pool" ? "The default pool stays: tasks without a pool are in it." : undefined)}
            columns={[
                { key: "name", title: "Pool", width: "minmax(120px, 1fr)", of: (p) => p.name },
                { key: "slots", title: "Slots", width: "96px", right: true, of: (p) => p.slots, cell: (p) => (p.quota ? `${count(p.slots)} in ${span(p.quota.per_ms)}` : slots(p.slots)) },
                { key: "use", title: "In use", width: "72px", right: true, first: "down", of: (p) => p.occupied_slots, cell: (p) => <span class="live">{count(p.occupied_slots)}</span> },
                { key: "bar", title: "Share", width: "minmax(80px, 1fr)", sort: false, of: () => null, cell: (p) => <Use of={p} /> },
                { key: "waiting", title: "Waiting", width: "80px", right: true, wide: true, of: (p) => p.scheduled_slots, cell: (p) => <span class="live">{count(p.scheduled_slots)}</span> },
                { key: "about", title: "About", width: "minmax(96px, 1fr)", wide: true, of: (p) => p.description },
            ]}
            panel={(p) => <Facts of={facts(p)} />}
            form={(p, done, close) => <Form of={p} done={done} close={close} />}
            empty={<Empty title="No pools." action={<Command text="sluice pools set NAME SLOTS" />} />} />
    );
}

function Form({ of, done, close }: { of: Pool | null; done: () => void; close: () => void }) {
    const [name, setName] = useState(of?.name ?? "");
    const [n, setN] = useState(of ? String(of.slots) : "1");
    const [about, setAbout] = useState(of?.description ?? "");
    const [deferred, setDeferred] = useState(of?.include_deferred ?? false);
    const wrong = /^-?\d+$/.test(n) && Number(n) >= -1 ? undefined : "A whole number, -1 for any number";
    const act = async () => {
        if (wrong) return { ok: false as const, problem: { status: 0, code: "ERR_USAGE", what: wrong } };
        const values = { slots: Number(n), description: about || null, include_deferred: deferred };
        if (!of) return api.post(`${V2}/pools`, { name, ...values });
        const fields = of.name === "default_pool" ? ["slots", "include_deferred"] : ["slots", "description", "include_deferred"];
        return api.patch(`${to(of.name)}?${fields.map((f) => "update_mask=" + f).join("&")}`, { pool: of.name, ...values });
    };
    return (
        <FormDialog title={of ? `Change ${of.name}` : "New pool"} act={act} done={done} close={close} command={`sluice pools set ${shell(name || "NAME")} ${n}${about ? ` ${shell(about)}` : ""}`}>
            <Input label="Name" value={name} set={setName} required {...(of ? { disabled: true } : { focus: true })} />
            <Input label="Slots" type="number" min={-1} value={n} set={setN} wrong={wrong} hint="-1: any number" />
            {of?.name !== "default_pool" && <Input label="About" value={about} set={setAbout} />}
            <Check label="Deferred tasks take slots too" value={deferred} set={setDeferred} />
        </FormDialog>
    );
}
