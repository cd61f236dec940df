/** What a person asks of a stream, each with what it would cost, and the command that does the same. */
import { useState } from "preact/hooks";
import { Await, Button, Confirm, Facts, Input, api, at, count, go, may, plural, rate, shell, toast, useActs, useGet } from "../../kit";
import type { Cost, Stage } from "./shape";

type What = "pause" | "resume" | "restart" | "reset" | "trigger";

export function Acts({ of: s, open }: { of: Stage; open?: boolean }) {
    const [asked, setAsked] = useState<What | null>(null);
    const allowed = may("op");
    const paused = s.state === "paused";
    const first: What = paused ? "resume" : "pause";
    useActs(allowed ? [{ title: `${first} ${s.name}`, kind: "act", run: () => setAsked(first) }, { title: `restart ${s.name}`, kind: "act", run: () => setAsked("restart") }] : []);
    const need = allowed ? undefined : "This needs the role Op.";
    const button = (what: What, title: string) => (
        <Button kind="bare" disabled={!allowed} title={need} onClick={() => setAsked(what)}>{title}</Button>
    );
    return (
        <>
            <Button disabled={!allowed} title={need} onClick={() => setAsked(first)}>{paused ? "Resume" : "Pause"}</Button>
            {open && button("restart", "Restart")}
            {open && s.kind === "source" && paused && button("trigger", "Bring some")}
            {open && button("reset", "Reset")}
            {asked === "trigger" ? <Trigger of={s} onClose={() => setAsked(null)} /> : asked && <Ask what={asked} name={s.name} kind={s.kind} onClose={() => setAsked(null)} />}
        </>
    );
}

const WORDS: Record<string, string> = { pause: "paused", resume: "goes on", restart: "was restarted", reset: "begins anew", drop: "is gone" };

export function Ask({ what, name, kind, onClose, onDone }: { what: string; name: string; kind: string; onClose: () => void; onDone?: () => void }) {
    const cost = useGet<Cost>(`streams/${encodeURIComponent(name)}/cost`, { what });
    const forgets = what === "reset" || what === "drop";
    const done = () => {
        toast(`${name} ${WORDS[what] ?? what}.`);
        onClose();
        onDone?.();
        if (what === "drop") go(at("streams"));
    };
    return (
        <Confirm title={`${what[0]!.toUpperCase()}${what.slice(1)} ${kind} ${name}`} verb={what[0]!.toUpperCase() + what.slice(1)} {...(forgets && { name })} command={`sluice streams ${what} ${shell(name)}`}
            act={() => api.post(`streams/${encodeURIComponent(name)}/act`, { what, ...(forgets && { confirm: name }) })} onDone={done} onClose={onClose}>
            <Await of={cost} what="what it would cost" lines={3}>{(c) => <CostOf of={c} kind={kind} />}</Await>
        </Confirm>
    );
}

function CostOf({ of: c, kind }: { of: Cost; kind: string }) {
    if (!c.forgets)
        return (
            <p>
                {c.what === "pause" ? <>Nothing is lost: {kind === "source" ? "it fetches no more until it is resumed" : "records wait in their topics, and it goes on from its cursor"}.{c.rate >= 0.5 && kind !== "source" ? <> About {rate(c.rate)} would pile up meanwhile.</> : null}</> :
                 c.what === "restart" ? "Nothing is lost: it ends the epoch at hand, and begins again at its durable cursor." : "It goes on from its cursor."}
            </p>
        );
    return (
        <>
            <p>This goes and can not be brought back:</p>
            <Facts of={[
                ["Ledger", `${plural(c.ledger.in, "record")} counted`],
                ["State", plural(c.state_rows, "row")],
                ["Dead letters", `${c.more_letters ? "more than " : ""}${count(c.letters)}`],
                c.takes_table && ["Table", `${c.into}, the view's own`],
                c.what === "reset" && kind === "stream" && ["Read again", `${plural(c.again, "record")}${c.missing ? `; ${count(c.missing)} older ones are in the log no more` : ""}`],
            ]} />
            <p class="quiet">{c.takes_table ? "Topics stay." : c.table_rows ? `About ${plural(c.table_rows, "row")} of ${c.into} stay; rows that are written again are written over.` : "Rows and topics stay."}</p>
        </>
    );
}

function Trigger({ of: s, onClose }: { of: Stage; onClose: () => void }) {
    const [records, setRecords] = useState("100");
    return (
        <Confirm title={`Bring some records of ${s.name}`} verb="Bring them" act={() => api.post(`streams/${encodeURIComponent(s.name)}/trigger`, { records: Number(records) || 0 })} onDone={() => (toast(`${s.name} brings records.`), onClose())} onClose={onClose}>
            <p>It is started, asks for about so many records, and rests again.</p>
            <Input label="Records" type="number" min={0} value={records} set={setRecords} hint="0: without a bound" focus />
        </Confirm>
    );
}
