/** A topic's messages: newest or oldest first, from an offset or a time, of one partition or all, found by text or by a
 * condition; pages come as the list is scrolled. Live: what comes, as it comes. All of it stands in the address bar. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Ago, BASE, Button, Check, Command, Empty, Failed, Icon, Input, Loading, Select, Side, Table, api, at, bytes, count, exact, href, listen, param, plural, setQuery, shell, toMs, useKeys, useSettled, type Column, type Problem } from "../../kit";
import { Detail, Preview, kindWord } from "./record";
import { TOGETHER, onTop, placeOf, rangeOf, ranges, tailOf, type Message, type Page, type Tail, type Wanted } from "./shape";

const FIRST = 100;
const NEXT = 500;
const LIVE_MAX = 2000;
const CELL = 300; // characters of a key or value in the list

interface Asked extends Wanted {
    start: string; // newest, oldest, offset, time
    offset: string;
    time: string;
}

function asked(partitions: number): Asked {
    return { partition: param("partition") || ranges(partitions)[0]!, start: param("start", "newest"), offset: param("offset"), time: param("time"), q: param("q"), where: param("where"), committed: param("committed") === "1" };
}

/** The API's parameters. */
function queryOf(a: Asked): Record<string, string | number | boolean | null> {
    return {
        partition: a.partition || null,
        direction: a.start === "newest" ? "backward" : "forward",
        offset: a.start === "offset" ? a.offset || "0" : null,
        time: a.start === "time" ? a.time || null : null,
        q: a.q || null, where: a.where || null, committed: a.committed ? "true" : null,
    };
}

/** The command line that shows the same, where there is one. */
function commandOf(topic: string, a: Asked, live: boolean): string | null {
    if (a.where || /[,-]/.test(a.partition)) return null;
    const from = live ? "end" : a.start === "oldest" ? "earliest" : a.start === "offset" ? a.offset || "0" : a.start === "time" ? a.time || "earliest" : `-${FIRST}`;
    const words = ["sluice consume", shell(topic), `--from ${shell(from)}`];
    if (!live) words.push("--until end");
    if (a.partition !== "") words.push(`--partition ${shell(a.partition)}`);
    if (a.committed) words.push("--committed");
    words.push("--json");
    if (a.q) words.push(`| grep ${live ? "--line-buffered " : ""}-iF ${shell(a.q)}`);
    return words.join(" ");
}

interface Found {
    rows: Message[];
    page?: Page;
    problem?: Problem;
    busy: boolean;
    scanned: number;
    unsure: number;
    why: string | null;
}
const NOTHING: Found = { rows: [], busy: true, scanned: 0, unsure: 0, why: null };

/** Pages of what is asked for. A search goes on by itself until it has found a page's worth, or is stopped. */
function usePages(topic: string, a: Asked, off: boolean) {
    const key = href(at("topics", topic, "messages"), queryOf(a));
    const [found, setFound] = useState<Found & { key: string }>({ ...NOTHING, key });
    const [turn, setTurn] = useState(0);
    const run = useRef<{ stop: AbortController; now: Found; busy: boolean }>();
    const load = async (mine: NonNullable<typeof run.current>) => {
        if (mine.busy) return;
        mine.busy = true;
        const limit = mine.now.rows.length ? NEXT : FIRST;
        let added = 0;
        do {
            const got = await api.get<Page>(`topics/${encodeURIComponent(topic)}/messages`, { ...queryOf(a), limit: limit - added, ...(mine.now.page?.next && { after: mine.now.page.next }) }, mine.stop.signal);
            if (mine.stop.signal.aborted) return;
            if (!got.ok) {
                mine.now = { ...mine.now, problem: got.problem };
                break;
            }
            const p = got.value;
            added += p.records.length;
            mine.now = { rows: mine.now.rows.concat(p.records), page: p, busy: true, scanned: mine.now.scanned + p.scanned, unsure: mine.now.unsure + p.unsure, why: mine.now.why ?? p.unsure_why };
            setFound({ ...mine.now, key });
        } while (mine.now.page!.next && added < limit && (mine.now.page!.end === "time" || mine.now.page!.end === "bytes"));
        mine.busy = false;
        mine.now = { ...mine.now, busy: false };
        setFound({ ...mine.now, key });
    };
    useEffect(() => {
        if (off) return undefined;
        const mine = { stop: new AbortController(), now: NOTHING, busy: false };
        run.current = mine;
        void load(mine);
        return () => mine.stop.abort();
    }, [key, turn, off]);
    const more = () => {
        const mine = run.current;
        if (mine && !mine.busy && mine.now.page?.next && !mine.now.problem) void load(mine);
    };
    const halt = () => {
        const mine = run.current;
        if (!mine) return;
        mine.stop.abort();
        const next = { stop: new AbortController(), now: { ...mine.now, busy: false }, busy: false };
        run.current = next;
        setFound({ ...next.now, key });
    };
    return { found: found.key === key ? found : { ...NOTHING, key }, more, halt, reload: () => setTurn((t) => t + 1) };
}

interface Heard {
    rows: Message[];
    leftOut: number;
    behind: number;
    unsure: number;
    why: string;
    came: boolean; // the tail has begun
    problem?: Problem;
}
const SILENCE: Heard = { rows: [], leftOut: 0, behind: 0, unsure: 0, why: "", came: false };

/** What comes of what is wanted, newest first, and how much was left out because it came too fast. */
function useTail(topic: string, want: Wanted, on: boolean) {
    const tail = tailOf(topic, want);
    const channel = "channel" in tail ? tail.channel : null;
    const [state, set] = useState<Heard>(SILENCE);
    useEffect(() => {
        set(SILENCE);
        if (!on || channel === null) return undefined;
        return listen<Partial<Tail> & { error?: Problem }>(channel, (data) => {
            if (data.error) return set((s) => ({ ...s, problem: { ...data.error!, status: data.error!.role ? 403 : 500 } }));
            set((s) => ({ rows: onTop(s.rows, data.records ?? [], LIVE_MAX), leftOut: s.leftOut + (data.left_out ?? 0), behind: data.behind ?? 0, unsure: s.unsure + (data.unsure ?? 0), why: data.why ?? s.why, came: true }));
        });
    }, [channel, on]);
    return "problem" in tail ? { ...SILENCE, problem: tail.problem } : state;
}

const COLUMNS: Column<Message>[] = [
    { key: "time", title: "Time", of: (m) => m.time_ms, cell: (m) => <time dateTime={m.time ?? undefined} title={exact(m.time_ms)} class="num">{stamp(m.time_ms)}</time>, width: "168px", wide: true },
    { key: "partition", title: "Part.", of: (m) => m.partition, right: true, width: "48px", hint: "partition" },
    { key: "offset", title: "Offset", of: (m) => m.offset, right: true, width: "88px", cell: (m) => <span class="num">{m.offset}</span> },
    { key: "key", title: "Key", of: (m) => m.key.text, cell: (m) => <Preview of={m.key} most={CELL} />, width: "minmax(72px, 1.4fr)", mono: true },
    { key: "value", title: "Value", of: (m) => m.value.text, cell: (m) => (kindWord(m.kind) ? <><span class="badge">{kindWord(m.kind)}</span> <Preview of={m.value} most={CELL} /></> : <Preview of={m.value} most={CELL} />), width: "minmax(120px, 4fr)", mono: true },
    { key: "size", title: "Size", of: (m) => m.value.size, cell: (m) => <span class="num">{bytes(m.value.size)}</span>, right: true, width: "72px", wide: true },
];

const NARROW = COLUMNS.filter((c) => c.key !== "time" && c.key !== "size"); // beside an open message

function stamp(ms: number): string {
    const d = new Date(ms);
    const two = (n: number) => String(n).padStart(2, "0");
    return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}

export function Messages({ topic, partitions, internal, produce }: { topic: string; partitions: number; internal: boolean; produce: () => void }) {
    const a = asked(partitions);
    const live = param("live") === "1";
    const { found, more, halt, reload } = usePages(topic, a, live);
    const tail = useTail(topic, a, live);
    const opened = param("row");
    const searching = a.q !== "" || a.where !== "";
    const rows = live ? tail.rows : found.rows;
    const problem = live ? tail.problem : found.problem;
    const [p, o] = opened.split(":");
    const state = live ? <LiveNote of={tail} /> : <Note of={found} within={a.partition} searching={searching} halt={halt} />;
    const all = <Button onClick={() => setQuery({ q: null, where: null })}>Show all messages</Button>;
    const empty = live ? <Empty title={searching ? "Waiting for the next record that matches." : "Waiting for the next record."} action={searching && all}>Records stand here as they come, newest first.</Empty> : searching ? (
        <Empty title={found.busy ? "Nothing found yet." : "No message matches."} action={all}>{found.unsure > 0 && `The condition could not be computed for ${plural(found.unsure, "message")}: ${found.why}`}</Empty>
    ) : <Empty title={`There is nothing ${a.start === "offset" || a.start === "time" ? "from there on" : "in this topic"}${a.partition && `, in ${partitionsWord(a.partition)}`}.`} action={!internal && <><Button kind="main" onClick={produce}>Produce a message</Button><Command text={`echo 'a value' | sluice produce ${shell(topic)}`} /></>}>Sources, Kafka clients and this page can write into it.</Empty>;
    const list = problem && !rows.length ? <Failed problem={problem} retry={live ? undefined : reload} /> : live && !tail.came ? <Loading what="the live tail" lines={10} /> : !live && found.busy && !rows.length && !searching ? <Loading what="the messages" lines={10} /> : (
        <>
            <Table label="Messages" rows={rows} rowKey={placeOf} columns={opened ? NARROW : COLUMNS} filter={false} remote onEnd={live ? undefined : more} open={(m) => setQuery({ row: placeOf(m) }, { step: !opened })}
                tone={(m) => (m.kind === "unreadable" ? "bad" : m.kind === "record" || m.kind === "committed" ? undefined : "off")} empty={empty} note={rows.length > 0 ? state : undefined} height="max(240px, calc(100dvh - var(--top) - 380px))" />
            {!rows.length && searching && <div class="table-note quiet">{state}</div>}
            {problem && rows.length > 0 && <Failed problem={problem} retry={live ? undefined : reload} />}
        </>
    );
    return (
        <>
            <Tools topic={topic} partitions={partitions} of={a} live={live} reload={reload} />
            <div class={`table-frame${opened ? " with-panel" : ""}`}>
                <div class="table-main">{list}</div>
                {opened && <Side title={`Partition ${p}, offset ${o}`} onClose={() => setQuery({ row: null })}><Detail key={opened} topic={topic} partition={Number(p)} offset={Number(o)} /></Side>}
            </div>
        </>
    );
}

function LiveNote({ of: t }: { of: Heard }) {
    return (
        <span role="status">
            {plural(t.rows.length, "message")} since you look{t.rows.length === LIVE_MAX && ", the last ones"}{t.leftOut > 0 && <>; <b>{count(t.leftOut)}</b> more came too fast to be shown</>}.
            {t.behind > 0 && <> <b>{count(t.behind)}</b> that came are not looked at yet: each half second the server looks for 0.3 s and tells 100 at most.</>}
            {t.unsure > 0 && ` The condition could not be computed for ${plural(t.unsure, "message")}: ${t.why}`}
        </span>
    );
}

function Note({ of: f, within, searching, halt }: { of: Found; within: string; searching: boolean; halt: () => void }) {
    const left = f.page?.left ?? 0;
    return (
        <span role="status" class="row">
            <span>
                {searching ? <>{count(f.rows.length)} found in {plural(f.scanned, "message")}</> : plural(f.rows.length, "message")}
                {f.busy ? ", looking on" : ""}{left > 0 ? `; ${count(left)} left` : f.busy ? "" : `; that is all${within && ` of ${partitionsWord(within)}`}`}.
                {f.unsure > 0 && <span title={f.why ?? undefined}> The condition could not be computed for {count(f.unsure)}: {f.why}</span>}
            </span>
            {f.busy && searching && <Button onClick={halt}>Stop</Button>}
        </span>
    );
}

function Tools({ topic, partitions, of: a, live, reload }: { topic: string; partitions: number; of: Asked; live: boolean; reload: () => void }) {
    const [q, setQ] = useSettled("q", { row: null });
    const [where, setWhere] = useState(a.where);
    const [more, setMore] = useState(a.where !== "" || a.committed);
    const bar = useRef<HTMLDivElement>(null);
    useEffect(() => setWhere(a.where), [a.where]);
    useKeys("Messages' filter", [{ key: "/", what: "filter", run: () => bar.current?.querySelector<HTMLInputElement>("input[type=search]")?.focus() }]);
    const turn = (values: Record<string, string | null>) => setQuery({ ...values, row: null }, { step: true });
    const file = (kind: string) => href(`${BASE}/topics/${encodeURIComponent(topic)}/messages.${kind}`, queryOf(a));
    const ms = toMs(a.time);
    const command = commandOf(topic, a, live);
    return (
        <div class="messages-tools" ref={bar}>
            <div class="messages-row">
                <WhichPartitions of={a.partition} partitions={partitions} set={(v, step) => setQuery({ partition: v || null, row: null }, { step })} />
                <Select label="Begin at" value={a.start} set={(v) => turn({ start: v === "newest" ? null : v, offset: v === "offset" ? a.offset || "0" : null, time: v === "time" ? a.time || new Date(Date.now() - 3_600_000).toISOString() : null })} disabled={live}
                    of={[{ value: "newest", label: "newest first" }, { value: "oldest", label: "oldest first" }, { value: "offset", label: "an offset" }, { value: "time", label: "a time" }]} />
                {a.start === "offset" && <Input label="Offset" type="number" min={0} value={a.offset} set={(v) => setQuery({ offset: v, row: null })} />}
                {a.start === "time" && <Input label="Time" type="datetime-local" step="any" value={ms === null ? "" : local(ms)} set={(v) => v && setQuery({ time: new Date(v).toISOString(), row: null })} hint={ms === null ? undefined : <Ago at={ms} />} />}
                <div class="messages-find"><Input label="Text in key, value or headers" type="search" value={q} set={setQ} placeholder="Filter messages" /></div>
                <div class="messages-acts">
                    <Button pressed={live} onClick={() => setQuery({ live: live ? null : 1, row: null }, { step: true })}><Icon name={live ? "pause" : "play"} /> Live</Button>
                    <Button label="Look again" onClick={reload} disabled={live}><Icon name="refresh" /></Button>
                    <Button pressed={more} onClick={() => setMore(!more)}>More</Button>
                </div>
            </div>
            {more && (
                <form class="messages-row" onSubmit={(e) => (e.preventDefault(), turn({ where: where.trim() || null }))}>
                    <div class="messages-find"><Input label="Condition, in SQL" value={where} set={setWhere} mono placeholder="CAST(dob.age AS INT) > 30 AND nat = 'DK'" hint="Fields by their path; _key, _offset, _partition, _timestamp of the record itself. Enter looks." /></div>
                    <div class="messages-acts">
                        <Button type="submit">Look</Button>
                        <Check label="Only committed" value={a.committed} set={(on) => turn({ committed: on ? "1" : null })} />
                        <a class="button" href={file("jsonl")} download><Icon name="download" /> JSON lines</a>
                        <a class="button" href={file("csv")} download><Icon name="download" /> CSV</a>
                        {command && <Command quiet text={command} />}
                    </div>
                </form>
            )}
        </div>
    );
}

/** "7" -> "partition 7"; "0-255" -> "partitions 0 to 255" */
function partitionsWord(of: string): string {
    return `partition${/[,-]/.test(of) ? "s" : ""} ${of.replaceAll("-", " to ").replaceAll(",", ", ")}`;
}

/** One of them or all; of more than can be read together a range, or one. */
function WhichPartitions({ of, partitions, set }: { of: string; partitions: number; set: (v: string, step: boolean) => void }) {
    if (partitions <= TOGETHER)
        return <Select label="Partition" value={of} set={(v) => set(v, true)} of={[{ value: "", label: "all" }, ...Array.from({ length: partitions }, (_, i) => ({ value: String(i) }))]} />;
    const range = rangeOf(of, partitions);
    return (
        <>
            <Select label={`Partitions, ${TOGETHER} at most`} value={range} set={(v) => set(v, true)} of={ranges(partitions).map((r) => ({ value: r, label: r.replace("-", " to ") }))} />
            <Input label="One alone" type="number" min={0} max={partitions - 1} value={of.includes("-") ? "" : of} set={(v) => set(v || range, false)} placeholder="all" />
        </>
    );
}

/** As <input type=datetime-local> wants it. */
function local(ms: number): string {
    return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
