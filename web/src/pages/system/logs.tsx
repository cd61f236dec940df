/** The server's log: what is kept and what comes, by room, level and text; and what each room says from now on. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Button, Command, Facts, Failed, Forbidden, Icon, Loading, Section, Select, Side, api, count, exact, listen, may, param, plural, setQuery, toMs, toast, toastProblem, useKeys, type Problem } from "../../kit";
import { LEVELS, joined, wanted, type LogLine, type LogRoom, type Logs as Told, type Tail } from "./shape";

const ROW = 20;
const PAGE = 1000;
const ALL = 4096; // that the server keeps
const MOST = 20_000; // in the page

interface State {
    lines: LogLine[];
    rooms: LogRoom[];
    problem?: Problem;
    ready: boolean;
}

function useLog(room: string, level: string, q: string, limit: number): State & { setRooms: (r: LogRoom[]) => void; reload: () => void } {
    const [s, set] = useState<State>({ lines: [], rooms: [], ready: false });
    const [turn, setTurn] = useState(0);
    const end = useRef(0); // the newest line that is known
    const waiting = useRef<Tail[]>([]); // what came before the first answer
    useEffect(() => {
        const stop = new AbortController();
        let ready = false;
        waiting.current = [];
        const take = (t: Tail) => {
            if (t.end <= end.current) return;
            if (t.from > end.current) return setTurn((n) => n + 1); // more came than the channel tells
            end.current = t.end;
            const fresh = t.lines.filter((l) => wanted(l, room, level, q));
            if (fresh.length) set((was) => ({ ...was, lines: joined(was.lines, fresh, MOST) }));
        };
        const deaf = listen<Tail | { error: Problem }>("logs", (t) => {
            if ("error" in t) return;
            if (ready) take(t);
            else waiting.current.push(t);
        });
        void api.get<Told>("system/logs", { room, level, q, limit }, stop.signal).then((got) => {
            if (stop.signal.aborted) return;
            if (!got.ok) return set((was) => ({ ...was, problem: got.problem, ready: true }));
            ready = true;
            end.current = got.value.end;
            set({ lines: got.value.lines, rooms: got.value.rooms, ready: true });
            waiting.current.forEach(take);
        });
        return () => (stop.abort(), deaf());
    }, [room, level, q, limit, turn]);
    return { ...s, setRooms: (rooms) => set((was) => ({ ...was, rooms })), reload: () => setTurn((n) => n + 1) };
}

export function Logs() {
    return may("Admin") ? <Log /> : <Forbidden role="Admin" />;
}

function Log() {
    const room = param("room");
    const level = param("level");
    const q = param("q");
    const all = param("all") !== "";
    const log = useLog(room, level, q, all ? ALL : PAGE);
    const field = useRef<HTMLInputElement>(null);
    useKeys("Logs", [{ key: "/", what: "find in the log", run: () => field.current?.focus() }]);
    if (log.problem) return <Failed problem={log.problem} retry={log.reload} />;
    return (
        <>
            <div class="table-tools system-log-tools">
                <label class="filter">
                    <Icon name="search" />
                    <span class="hidden">Find in the log</span>
                    <input ref={field} type="search" class="input" placeholder="Find in the log" value={q} spellcheck={false} onInput={(e) => setQuery({ q: e.currentTarget.value })} onKeyDown={(e) => e.key === "Escape" && (q ? setQuery({ q: null }) : e.currentTarget.blur())} />
                    {!q && <kbd aria-hidden="true">/</kbd>}
                </label>
                <Select label="Room" hideLabel value={room} set={(v) => setQuery({ room: v })} of={[{ value: "", label: "all rooms" }, ...log.rooms.map((r) => ({ value: r.room }))]} />
                <Select label="Least level" hideLabel value={level} set={(v) => setQuery({ level: v })} of={[{ value: "", label: "all levels" }, ...LEVELS.slice(1, 4).map((v) => ({ value: v, label: v === "error" ? v : `${v} and above` }))]} />
                <span class="quiet" role="status">{plural(log.lines.length, "line")}</span>
                {!all && log.lines.length >= PAGE && <Button onClick={() => setQuery({ all: "1" })}>All {count(ALL)} that are kept</Button>}
                <span class="table-acts"><Command quiet text={`sluice logs${room ? ` ${room}` : ""}${level ? ` --level ${level}` : ""} --follow`} /></span>
            </div>
            {log.ready ? <Lines of={log.lines} filtered={Boolean(room || level || q)} /> : <Loading what="the log" />}
            <Levels of={log.rooms} set={log.setRooms} />
        </>
    );
}

/** Only the lines in sight are in the document; it follows the end until one scrolls away from it. */
function Lines({ of, filtered }: { of: LogLine[]; filtered: boolean }) {
    const box = useRef<HTMLDivElement>(null);
    const opened = Number(param("line")) || 0;
    const [follow, setFollow] = useState(!opened); // a link to a line shows that line
    const [span, setSpan] = useState({ from: 0, to: 60 });
    const line = useMemo(() => (opened ? of.find((l) => l.seq === opened) : undefined), [of, opened]);
    const look = () => {
        const b = box.current;
        if (!b) return;
        const from = Math.max(0, Math.floor(b.scrollTop / ROW) - 20);
        const to = Math.ceil((b.scrollTop + b.clientHeight) / ROW) + 20;
        setSpan((s) => (s.from === from && s.to === to ? s : { from, to }));
    };
    useLayoutEffect(() => {
        const b = box.current;
        if (b && follow) b.scrollTop = b.scrollHeight;
        look();
    }, [of, follow]);
    useLayoutEffect(() => {
        const b = box.current;
        if (b && line) b.scrollTop = Math.max(0, of.indexOf(line) * ROW - b.clientHeight / 2);
    }, []);
    const move = (step: number) => {
        const n = of.findIndex((l) => l.seq === opened);
        const next = of[Math.max(0, Math.min(of.length - 1, (n < 0 ? of.length : n) + step))];
        const b = box.current;
        if (!next || !b) return;
        setFollow(false);
        const top = of.indexOf(next) * ROW;
        if (top < b.scrollTop) b.scrollTop = top;
        else if (top + ROW > b.scrollTop + b.clientHeight) b.scrollTop = top + ROW - b.clientHeight;
        setQuery({ line: next.seq });
    };
    const close = () => setQuery({ line: null });
    useKeys("Lines", [
        { key: "j", what: "next line", run: () => move(1) },
        { key: "k", what: "line before", run: () => move(-1) },
        { key: "f", what: "follow the end", run: () => setFollow(true) },
        ...(line ? [{ key: "Escape", what: "close the line", run: close, typing: true }] : []),
    ]);
    const from = Math.min(span.from, Math.max(0, of.length - 1));
    const to = Math.min(span.to, of.length);
    return (
        <div class={`table-frame${line ? " with-panel" : ""}`}>
            <div class="table-main">
                <div class="system-log" ref={box} tabIndex={0} role="log" aria-label="The server's log" aria-live="off"
                    onScroll={(e) => { const b = e.currentTarget; look(); setFollow(b.scrollTop + b.clientHeight >= b.scrollHeight - 4); }}
                    onClick={(e) => { const n = (e.target as Element).closest<HTMLElement>("[data-seq]")?.dataset["seq"]; if (n && !window.getSelection()?.toString()) setQuery({ line: n }); }}>
                    {of.length === 0 && <p class="quiet">{filtered ? "Nothing that was said matches." : "Nothing was said yet."}</p>}
                    <div style={{ height: `${from * ROW}px` }} />
                    {of.slice(from, to).map((l) => (
                        <div key={l.seq} data-seq={l.seq} class={`system-line system-${l.level}${l.seq === opened ? " is-open" : ""}`}>
                            <span class="system-time" title={l.time}>{l.time.slice(11, 23)}</span> <b class="system-level">{l.level}</b> <span class="system-room">{l.room}</span> <bdi>{l.message}</bdi> <bdi class="quiet">{l.rest}</bdi>
                        </div>
                    ))}
                    <div style={{ height: `${Math.max(0, of.length - to) * ROW}px` }} />
                </div>
                <p class="table-note quiet">The last {count(ALL)} lines are kept in memory, no longer than the server runs; <code>sluice up</code> writes the same to its standard error. {follow ? "Following the end." : <Button kind="bare" onClick={() => setFollow(true)}>Follow the end</Button>}</p>
            </div>
            {line && <Side title={line.message} onClose={close}><LinePanel of={line} /></Side>}
        </div>
    );
}

/** name=value, with quotes where the value has spaces. */
function pairs(rest: string): [string, string][] {
    return [...rest.matchAll(/([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)/g)].map((m) => [m[1]!, m[2]!.startsWith('"') ? m[2]!.slice(1, -1).replaceAll(/\\(["\\])/g, "$1") : m[2]!]);
}

function LinePanel({ of: l }: { of: LogLine }) {
    const ms = toMs(l.time);
    return (
        <div class="stack">
            <Facts of={[["When", ms === null ? l.time : exact(ms)], ["Level", l.level], ["Room", l.room], ...pairs(l.rest).map(([name, value]): [string, preact.ComponentChildren] => [name, <bdi class="mono system-value">{value}</bdi>])]} />
            <pre class="json-raw" aria-label="The whole line">{`ts=${l.time} level=${l.level} room=${l.room} msg="${l.message}" ${l.rest}`}</pre>
        </div>
    );
}

function Levels({ of, set }: { of: LogRoom[]; set: (r: LogRoom[]) => void }) {
    const change = async (room: string, level: string) => {
        const got = await api.put<LogRoom[]>("system/levels", { room, level });
        if (!got.ok) return toastProblem(got.problem);
        set(got.value);
        toast(`${room || "Every room"} logs ${level === "off" ? "nothing" : `${level} and above`} from now on.`);
        return undefined;
    };
    const same = of.every((r) => r.level === of[0]?.level) ? (of[0]?.level ?? "") : "";
    return (
        <Section title="What is logged" note={<>Counts at once, until the server ends; for always it is <code>logs.level</code> of sluice.yaml.</>} acts={<Command text={`sluice logs --level ${of[0] ? `${of.find((r) => r.level !== "info")?.room ?? "flow"}=debug` : ""}`} />}>
            <div class="system-levels">
                <Select label="Every room" value={same} set={(v) => v && void change("", v)} of={[...(same ? [] : [{ value: "", label: "they differ" }]), ...LEVELS.map((v) => ({ value: v }))]} />
                {of.map((r) => <Select key={r.room} label={r.room} value={r.level} set={(v) => void change(r.room, v)} of={LEVELS} />)}
            </div>
        </Section>
    );
}
