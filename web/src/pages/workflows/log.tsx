/** The log of a try, as it comes: the server says that there is more, and the rest is asked for from where it ended. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Button, Failed, Icon, api, count, href, useKeys, type Problem } from "../../kit";
import { channel, runAt, useChanges } from "./api";
import { Lines, parseLine, type LogLine } from "./lines";

interface Props {
    dag: string;
    run: string;
    task: string;
    index: number;
    number: number;
    over: boolean;
}
interface Piece {
    content: { event: string }[];
    continuation_token: string | null;
}

const ROW = 18;
const KEEP = 200_000; // lines of one log in the page

function useLog({ dag, run, task, index, number }: Props): { lines: readonly LogLine[]; problem: Problem | undefined; busy: boolean; ended: boolean; dropped: number; more: () => void } {
    const to = runAt(dag, run, "taskInstances", task, "logs", number);
    const [state, setState] = useState({ lines: [] as readonly LogLine[], problem: undefined as Problem | undefined, busy: true, ended: false, dropped: 0 });
    const at = useRef({ token: "", busy: false, again: false, kept: new Lines(KEEP), stop: new AbortController(), gone: false });
    const more = () => {
        const w = at.current;
        if (w.gone) return;
        if (w.busy) return void (w.again = true);
        w.busy = true;
        void api.get<Piece>(to, { map_index: index, token: w.token || null }, w.stop.signal).then((got) => {
            w.busy = false;
            if (w.gone) return;
            if (!got.ok) return setState((s) => ({ ...s, problem: got.problem, busy: false }));
            const before = w.token;
            w.kept.add(got.value.content.map((c) => c.event));
            w.token = got.value.continuation_token ?? w.token;
            const ended = got.value.continuation_token === null;
            setState({ lines: w.kept.all(), problem: undefined, busy: false, ended, dropped: w.kept.dropped });
            // a piece at a time: as long as something came there may be more
            if (!ended && (w.again || (got.value.content.length > 0 && w.token !== before))) {
                w.again = false;
                more();
            }
        });
    };
    useEffect(() => {
        at.current = { token: "", busy: false, again: false, kept: new Lines(KEEP), stop: new AbortController(), gone: false };
        const w = at.current;
        more();
        return () => {
            w.gone = true;
            w.stop.abort();
        };
    }, [to, index]);
    return { ...state, more };
}

export function Log(p: Props) {
    const log = useLog(p);
    const [find, setFind] = useState("");
    const [follow, setFollow] = useState(true);
    const box = useRef<HTMLDivElement>(null);
    const field = useRef<HTMLInputElement>(null);
    const [span, setSpan] = useState({ from: 0, to: 80 });
    useChanges(p.over && log.ended ? null : channel("log", p.dag, p.run, p.task, p.index, p.number), log.more);
    useEffect(() => {
        if (p.over && !log.ended) log.more(); // its last words
    }, [p.over]);
    useKeys("Log", [{ key: "/", what: "find in the log", run: () => field.current?.focus() }]);
    const shown = useMemo(() => (find ? log.lines.filter((l) => l.text.toLowerCase().includes(find.toLowerCase())) : log.lines), [log.lines, find]);
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
    }, [shown.length, follow]);
    const from = Math.min(span.from, Math.max(0, shown.length - 1));
    const to = Math.min(span.to, shown.length);
    const file = href(runAt(p.dag, p.run, "taskInstances", p.task, "logs", p.number), { map_index: p.index, full_content: "true" });
    if (log.problem) return <Failed problem={log.problem} retry={log.more} />;
    const live = !p.over;
    return (
        <div class="wf-log-frame">
            <div class="wf-grid-tools">
                <label class="filter"><Icon name="search" /><span class="hidden">Find in the log</span><input ref={field} type="search" class="input" placeholder="Find" value={find} spellcheck={false} onInput={(e) => setFind(e.currentTarget.value)} onKeyDown={(e) => e.key === "Escape" && (setFind(""), e.currentTarget.blur())} /></label>
                <span class="quiet" role="status">{find ? `${count(shown.length)} of ${count(log.lines.length)} lines` : `${count(log.lines.length)} ${log.lines.length === 1 ? "line" : "lines"}`}{live ? ", live" : ""}</span>
                {live && <Button kind="bare" pressed={follow} onClick={() => setFollow(!follow)}>{follow ? "Following" : "Follow"}</Button>}
                <a class="button button-bare" href={file} download={`${p.task}.${p.number}.json`} title="The whole log, as JSON"><Icon name="download" /><span class="hidden">Download the log</span></a>
            </div>
            {log.dropped > 0 && <p class="quiet">The first {count(log.dropped)} lines are not shown; download the log for all.</p>}
            <div class="wf-log" ref={box} tabIndex={0} role="log" aria-label={`Log of ${p.task}, try ${p.number}`} aria-live="off"
                onScroll={(e) => { const b = e.currentTarget; look(); if (live) setFollow(b.scrollTop + b.clientHeight >= b.scrollHeight - 4); }}>
                {shown.length === 0 && <p class="quiet">{log.busy ? "Waiting for the log" : find ? "Nothing matches." : live ? "Nothing was said yet." : "Nothing was said, or the log has expired."}</p>}
                <div style={{ height: `${from * ROW}px` }} />
                {shown.slice(from, to).map((l) => {
                    const parts = parseLine(l.text);
                    return <div key={l.n} class={`wf-log-line${parts.level ? ` log-${parts.level.toLowerCase()}` : ""}`}><i aria-hidden="true">{l.n}</i>{parts.time && <span class="wf-log-time" title={parts.stamp}>{parts.time} </span>}{parts.from && <span class="wf-log-from">{parts.from} </span>}<span>{parts.text}</span></div>;
                })}
                <div style={{ height: `${Math.max(0, shown.length - to) * ROW}px` }} />
            </div>
        </div>
    );
}
