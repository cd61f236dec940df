/** Dead letters: which stage, what was wrong, one record at a time; mended and replayed, or forgotten. */
import { useEffect, useState } from "preact/hooks";
import { Ago, Await, Button, Command, Confirm, Empty, Facts, Failed, Num, Section, State, Table, TextArea, api, at, bytes, count, href, linkTo, may, param, plural, setQuery, shell, toast, toastProblem, useGet, useLive, type Got, type Problem } from "../../kit";
import type { DeadGroup, DeadStage, Letter, Outcome } from "./shape";

interface Row extends DeadGroup {
    stage: string;
    declared: boolean;
    key: string;
}

function rowsOf(stages: DeadStage[]): Row[] {
    return stages.flatMap((s) => s.groups.map((g, i) => ({ ...g, stage: s.stage, declared: s.declared, key: `${s.stage}/${i}` })));
}

export function Dead({ of }: { of: Got<{ stages: DeadStage[] }> }) {
    const stage = param("stage");
    if (stage) {
        const known = of.value?.stages.find((s) => s.stage === stage);
        return <Letters stage={stage} ledgerDead={known?.dead ?? 0} declared={known?.declared ?? true} back />;
    }
    return (
        <Await of={of} what="the dead letters">
            {(dead) => {
                const rows = rowsOf(dead.stages);
                const gone = dead.stages.filter((s) => s.dead > 0 && !s.letters);
                return (
                    <div class="stack">
                        <Table label="Dead letters" rows={rows} rowKey={(r) => r.key} sort="-letters" href={(r) => href("/streams", { view: "dead", stage: r.stage, code: r.code, column: r.column })}
                            open={(r) => setQuery({ stage: r.stage, code: r.code, column: r.column }, { step: true })}
                            columns={[
                                { key: "stage", title: "Stage", of: (r) => r.stage, width: "minmax(130px, 1fr)" },
                                { key: "letters", title: "Letters", of: (r) => r.letters, cell: (r) => <Num of={r.letters} live />, right: true, first: "down", width: "88px" },
                                { key: "reason", title: "What was wrong", of: (r) => r.reason, width: "minmax(180px, 3fr)" },
                                { key: "check", title: "Check or column", of: (r) => r.expression ?? r.column, mono: true, wide: true, width: "minmax(140px, 2fr)" },
                                { key: "code", title: "Error", of: (r) => r.code, mono: true, wide: true, width: "120px" },
                                { key: "mended", title: "Mended", of: (r) => r.mended, cell: (r) => <Num of={r.mended} live />, right: true, wide: true, width: "80px" },
                                { key: "last", title: "Last", of: (r) => r.last, cell: (r) => <Ago at={r.last} />, wide: true, width: "92px" },
                            ]}
                            empty={<Empty title="No dead letters." action={<Command text="sluice dead" />}>A record that a stream can not use is kept here with the reason, while its neighbours go on. It can be mended and sent through its stream again.</Empty>}
                            note={dead.stages.some((s) => s.more) ? "Of stages with very many letters the newest 20,000 were looked at." : undefined} />
                        {gone.length > 0 && <p class="quiet">{gone.map((s) => `${s.stage}: ${plural(s.dead, "record")} died and ${s.dead === 1 ? "its letter is" : "their letters are"} gone`).join("; ")}.</p>}
                    </div>
                );
            }}
        </Await>
    );
}

interface Page {
    letters: Letter[];
    next: string | null;
}

/** A stage's letters, the newest first; more come while one scrolls. */
export function Letters({ stage, ledgerDead, declared, back }: { stage: string; ledgerDead: number; declared: boolean; back?: boolean }) {
    const code = param("code");
    const column = param("column");
    const reason = param("reason");
    const q = { limit: 100, ...(code && { code }), ...(column && { column }), ...(reason && { reason }) };
    const path = `dead/${encodeURIComponent(stage)}`;
    const first = useGet<Page>(path, q);
    const [more, setMore] = useState<Page[]>([]);
    const [asked, setAsked] = useState<"replay" | "forget" | null>(null);
    const news = useLive<{ stages: DeadStage[] }>("dead").value?.stages.find((s) => s.stage === stage);
    const mark = news ? `${news.letters}/${news.mended}/${news.dead}` : "";
    useEffect(() => setMore([]), [first.value]);
    useEffect(() => {
        if (mark && !more.length) first.reload();
    }, [mark]);
    const pages = first.value ? [first.value, ...more] : [];
    const rows = first.value && pages.flatMap((p) => p.letters);
    const next = pages.length ? pages[pages.length - 1]!.next : null;
    const onEnd = () => {
        if (!next || (rows?.length ?? 0) > 100_000) return;
        void api.get<Page>(path, { ...q, before: next }).then((a) => (a.ok ? setMore((m) => (m[m.length - 1]?.next === a.value.next && m.length ? m : [...m, a.value])) : toastProblem(a.problem)));
    };
    const allowed = may("op");
    const choice = { ...(code && { code }), ...(column && { column }), ...(reason && { reason }) };
    const where = [code && `--where ${shell(`code=${code}`)}`, column && `--where ${shell(`column=${column}`)}`, reason && `--where ${shell(`reason=${reason}`)}`].filter(Boolean).join(" ");
    const command = (verb: string) => `sluice dead ${verb}${verb && " "}${shell(stage)}${where ? ` ${where}` : ""}`;
    const changed = () => (setQuery({ row: null }), first.reload());
    if (first.problem) return <Failed problem={first.problem} retry={first.reload} />;
    return (
        <div class="stack">
            {(back || code || column || reason) && (
                <p class="streams-choice">
                    {back && <a href="/streams?view=dead">All stages</a>}
                    <span>Letters of <bdi>{stage}</bdi></span>
                    {[["code", code], ["column", column], ["reason", reason]].map(([k, v]) => v && <button key={k} type="button" class="badge streams-drop" onClick={() => setQuery({ [k!]: null })} title={`Do not choose by ${k}`}>{k} {v} ✕</button>)}
                </p>
            )}
            <Table label="Letters" rows={rows} rowKey={(l) => l.place} onEnd={onEnd} what="the letters" remote filter={false}
                tools={<>
                    <Button disabled={!allowed || !declared || !rows?.length} title={allowed ? (declared ? undefined : "Its stream is declared no more.") : "This needs the role Op."} onClick={() => setAsked("replay")}>Replay {where ? "these" : "all"}</Button>
                    <Button kind="bare" disabled={!allowed || !rows?.length} onClick={() => setAsked("forget")}>Forget {where ? "these" : "all"}</Button>
                    <Command text={where ? command("replay") : `sluice dead ${shell(stage)}`} quiet />
                </>}
                columns={[
                    { key: "at", title: "Place", of: (l) => (l.topic ? `${l.topic}-${l.partition}@${l.offset}` : l.partition < 0 ? "a row" : `@${l.offset}`), width: "minmax(150px, 1.2fr)" },
                    { key: "time", title: "Died", of: (l) => l.written, cell: (l) => <Ago at={l.written} />, width: "88px", wide: true },
                    { key: "reason", title: "Reason", of: (l) => l.reason, width: "minmax(180px, 2fr)" },
                    { key: "record", title: "Record", of: (l) => l.record, mono: true, wide: true, width: "minmax(200px, 3fr)" },
                    { key: "mended", title: "Mended", of: (l) => (l.mended === null ? null : "mended"), cell: (l) => (l.mended === null ? null : <span class="badge">mended</span>), width: "76px", wide: true },
                ]}
                panelTitle={(l) => (l.topic ? `${l.topic}-${l.partition}@${l.offset}` : `A letter of ${stage}`)}
                panel={(l) => <One key={l.place} stage={stage} of={l} declared={declared} onChange={changed} />}
                empty={<Empty title={ledgerDead ? "No letters are left." : "No dead letters."} action={<Command text={`sluice dead ${shell(stage)}`} />}>{ledgerDead ? `${plural(ledgerDead, "record")} died, by the ledger; the letters were forgotten or have expired.` : "Every record so far could be used."}</Empty>}
                note={next ? "More come while you scroll." : undefined} />
            {asked === "replay" && (
                <Confirm title={`Replay dead letters of ${stage}`} verb="Replay" command={command("replay")} act={async () => {
                    const a = await api.post<Outcome>(`${path}/replay`, choice);
                    if (a.ok) sayOutcome(a.value);
                    return a;
                }} onDone={() => (setAsked(null), changed())} onClose={() => setAsked(null)}>
                    <p>{where ? "These letters" : `All ${count(news?.letters ?? rows?.length ?? 0)} letters`} go through the stream once more, in one write; those that fail again stay, with the new reason.</p>
                </Confirm>
            )}
            {asked === "forget" && (
                <Confirm title={`Forget dead letters of ${stage}`} verb="Forget" name={stage} command={command("forget")} act={() => api.post(`${path}/forget`, { ...choice, confirm: stage })} onDone={() => (setAsked(null), changed())} onClose={() => setAsked(null)}>
                    <p>{where ? "The letters chosen" : `All ${count(news?.letters ?? rows?.length ?? 0)} letters (${bytes(news?.bytes ?? 0)})`} go, with the records' bytes. The ledger still counts the records as dead.</p>
                </Confirm>
            )}
        </div>
    );
}

function sayOutcome(o: Outcome): void {
    const parts = [`${plural(o.replayed, "letter")} replayed`, `${count(o.mended)} good now`, o.again ? `${count(o.again)} failed again` : "", o.left ? `${count(o.left)} can not be replayed` : ""].filter(Boolean);
    toast(parts.join(", ") + ".", o.again || o.left ? "warn" : "good");
}

/** JSON in lines, where it is JSON. */
function pretty(text: string): string {
    try {
        const made = JSON.stringify(JSON.parse(text), null, 2);
        return /\d{16,}|\d\.\d{15,}/.test(text) ? text : made; // numbers that a browser would round stay as they are
    } catch {
        return text;
    }
}

function mistake(text: string): string | undefined {
    try {
        JSON.parse(text);
        return undefined;
    } catch (e) {
        return `This is no JSON: ${(e as Error).message}`;
    }
}

function One({ stage, of, declared, onChange }: { stage: string; of: Letter; declared: boolean; onChange: () => void }) {
    const path = `dead/${encodeURIComponent(stage)}/${of.place}`;
    const got = useGet<Letter>(path);
    return <Await of={got} what="the letter">{(l) => <Whole key={l.mended ?? ""} path={path} stage={stage} of={l} declared={declared} reload={got.reload} onChange={onChange} />}</Await>;
}

function Whole({ path, stage, of: l, declared, reload, onChange }: { path: string; stage: string; of: Letter; declared: boolean; reload: () => void; onChange: () => void }) {
    const [text, setText] = useState(() => pretty(l.mended ?? l.record));
    const [problem, setProblem] = useState<Problem>();
    const [busy, setBusy] = useState(false);
    const allowed = may("op");
    const binary = l.record_base64 !== null && l.mended === null;
    const usable = allowed && declared && !(l.cut && l.mended === null);
    const touched = text !== pretty(l.mended ?? l.record);
    const run = async (replay: boolean) => {
        setBusy(true);
        setProblem(undefined);
        if (touched) {
            const kept = await api.put<Letter>(path, { record: text });
            if (!kept.ok) return setBusy(false), setProblem(kept.problem);
        }
        if (!replay) return setBusy(false), toast("Mended; the next replay uses it."), reload(), onChange();
        const done = await api.post<Outcome>(`dead/${encodeURIComponent(stage)}/replay`, { places: [l.place] });
        setBusy(false);
        if (!done.ok) return setProblem(done.problem);
        sayOutcome(done.value);
        if (done.value.mended) onChange();
        else reload();
    };
    const filter = `--where ${shell(`partition=${l.partition}`)} --offset ${l.offset}`;
    return (
        <div class="stack streams-letter">
            <p class="streams-reason"><State of="dead" word={l.code} /> <bdi>{l.reason}</bdi></p>
            <Facts of={[
                l.expression !== null && ["Check", <code class="streams-code">{l.expression}</code>],
                l.column !== null && ["Column", <code>{l.column}</code>],
                l.topic !== null && ["Record", <a href={linkTo("topic", l.topic)}><bdi>{l.topic}</bdi>, partition {l.partition}, offset {l.offset}</a>],
                l.key !== null && ["Key", <bdi>{l.key}</bdi>],
                ["Time", <Ago at={l.time} />],
                ["Died", <Ago at={l.written} />],
                l.epoch > 0 && ["Epoch", count(l.epoch)],
                l.records !== 1 && ["Stands for", plural(l.records, "record")],
                ["Size", bytes(l.bytes)],
            ]} />
            {l.cut && l.mended === null && <p class="note"><span>Only the beginning of the record was kept, so it can not be replayed. Produce the whole record again.</span></p>}
            {binary ? (
                <Section title="Record" note="not text: as base64"><pre class="streams-code" tabIndex={0}>{l.record_base64}</pre></Section>
            ) : (
                <TextArea label={l.mended !== null ? "Record, mended" : "Record"} value={text} set={setText} mono rows={14} {...(touched && mistake(text) && { hint: mistake(text)! })} />
            )}
            {problem && <Failed problem={problem} />}
            <p class="buttons">
                <Button kind="main" busy={busy} disabled={!usable} title={allowed ? undefined : "This needs the role Op."} onClick={() => void run(true)}>{touched ? "Mend and replay" : "Replay"}</Button>
                <Button busy={busy} disabled={!allowed || !touched} onClick={() => void run(false)}>Mend only</Button>
                {l.topic !== null && <a class="button button-bare" href={href(at("tables", "why"), { topic: l.topic, partition: l.partition, offset: l.offset })}>Why</a>}
            </p>
            {l.mended !== null && <details><summary>As it came</summary><pre class="streams-code" tabIndex={0}>{pretty(l.record)}</pre></details>}
            <Command text={touched ? `sluice dead mend ${shell(stage)} ${filter} --command ${shell("cat mended.json")}` : `sluice dead replay ${shell(stage)} ${filter}`} />
        </div>
    );
}
