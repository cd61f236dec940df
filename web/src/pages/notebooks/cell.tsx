/** A cell: words, or statements with what they gave: rows, lines, bars, a number, a map; once or live. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Button, DRAWINGS, Editor, Failed, Icon, Markdown, Result, Save, Select, completeSql, isLive, may, suits, useAgain, useSql, watchSql, type Drawing, type DrawingKind, type Problem, type SqlResult } from "../../kit";
import { Promote } from "./promote";
import { printed, promotable, statement, type Cell } from "./shape";

interface CellProps {
    of: Cell;
    number: number;
    turn: number;
    locked: boolean;
    first: boolean;
    last: boolean;
    patch: (part: Partial<Cell>) => void;
    move: (by: number) => void;
    drop: () => void;
}

export function CellView(p: CellProps) {
    const what = p.of.kind === "sql" ? <Sql {...p} /> : p.of.kind === "markdown" ? <Words {...p} /> : <Other {...p} />;
    return <article class={`nb-cell nb-${p.of.kind}`} aria-label={`Cell ${p.number}`}>{what}</article>;
}

function Tools({ p, children }: { p: CellProps; children?: preact.ComponentChildren }) {
    return (
        <div class="nb-tools">
            {children}
            {!p.locked && (
                <span class="nb-order">
                    <Button kind="bare" label={`Cell ${p.number} up`} disabled={p.first} onClick={() => p.move(-1)}>↑</Button>
                    <Button kind="bare" label={`Cell ${p.number} down`} disabled={p.last} onClick={() => p.move(1)}>↓</Button>
                    <Button kind="bare" label={`Remove cell ${p.number}`} onClick={p.drop}><Icon name="trash" /></Button>
                </span>
            )}
        </div>
    );
}

function Words(p: CellProps) {
    const [edit, setEdit] = useState(!p.of.text);
    return (
        <>
            {edit && !p.locked ? <Editor label={`Text of cell ${p.number}`} language="markdown" value={p.of.text} set={(text) => p.patch({ text })} run={() => setEdit(false)} rows={4} placeholder="Markdown" /> : <Markdown text={p.of.text} />}
            <Tools p={p}>{!p.locked && <Button kind="bare" onClick={() => setEdit(!edit)}>{edit ? "Done" : "Edit"}</Button>}</Tools>
        </>
    );
}

function Other(p: CellProps) {
    return (
        <>
            <pre class="json-raw" tabIndex={0}>{p.of.text}</pre>
            {printed(p.of.raw) && <pre class="json-raw nb-printed" tabIndex={0} aria-label={`What cell ${p.number} gave there`}>{printed(p.of.raw)}</pre>}
            <Tools p={p}><span class="quiet">Of another kernel: shown and kept, and not run here. A first line %%sql makes it SQL.</span></Tools>
        </>
    );
}

const LIVE_ROWS = 500;

/** The newest lines of a live statement, as rows. */
function useWatch(text: string, on: boolean, end: (p?: Problem) => void): SqlResult | undefined {
    const [result, setResult] = useState<SqlResult>();
    useEffect(() => {
        if (!on) return undefined;
        const stop = new AbortController();
        let names: string[] = [];
        let rows: unknown[][] = [];
        let more = false;
        let frame = 0;
        const show = () => {
            frame = 0;
            setResult({ columns: names.map((name) => ({ name, type: "" })), rows: [...rows], more });
        };
        setResult({ columns: [], rows: [], more: false });
        void watchSql(text, (row) => {
            if (names.length === 0) names = Object.keys(row).filter((k) => k !== "_gone");
            rows.unshift(names.map((k) => row[k]));
            if (rows.length > LIVE_ROWS) (rows = rows.slice(0, LIVE_ROWS)), (more = true);
            frame ||= window.setTimeout(show, 500);
        }, stop.signal).then((problem) => !stop.signal.aborted && end(problem));
        return () => {
            stop.abort();
            clearTimeout(frame);
        };
    }, [on, text]);
    return result;
}

function Sql(p: CellProps) {
    const text = statement(p.of.text);
    const ran = useSql(text);
    const streams = isLive(text);
    const [watching, setWatching] = useState<string>();
    const [problem, setProblem] = useState<Problem>();
    const watched = useWatch(watching ?? "", watching !== undefined, (why) => (setWatching(undefined), setProblem(why)));
    const [promotes, setPromotes] = useState(false);
    const first = useRef(true);
    const run = async () => {
        setProblem(undefined);
        if (streams) return setWatching(text);
        const now = await ran.run();
        if (now.answer && !p.locked && !p.of.live) p.patch({ result: now.answer.results.at(-1) });
    };
    useEffect(() => {
        if (first.current) first.current = false;
        else void run();
    }, [p.turn]);
    useAgain(Boolean(p.of.live) && !streams, () => void ran.run());
    useEffect(() => void (p.of.live && !streams && ran.run()), [p.of.live]);
    const answer = ran.answer;
    const results = watched && (watching !== undefined || !answer) ? [watched] : answer ? answer.results : p.of.result ? [p.of.result] : [];
    const last = results.at(-1);
    const wrong = problem ?? ran.problem;
    const drawing: Drawing = p.of.drawing ?? { kind: last ? suits(last) : "table" };
    const draw = (part: Partial<Drawing>) => p.patch({ drawing: { ...drawing, ...part } });
    return (
        <>
            <Editor label={`Statements of cell ${p.number}`} language="sql" value={p.of.text} set={(t) => p.patch({ text: t })} readOnly={p.locked} run={() => void run()} complete={completeSql} rows={2} placeholder="SELECT …   (Ctrl-Enter runs it)" />
            <Tools p={p}>
                {watching !== undefined || ran.busy ? <Button onClick={() => (setWatching(undefined), ran.stop())}>Stop</Button> : <Button onClick={() => void run()}><Icon name="play" /> {streams ? "Watch" : "Run"}</Button>}
                {!streams && <Button kind="bare" pressed={Boolean(p.of.live)} title="Runs again whenever the pipeline has moved" onClick={() => p.patch({ live: !p.of.live })}>Live</Button>}
                {promotable(text) && <Button kind="bare" disabled={!may("Op")} title={may("Op") ? "Makes it a stream or a view of the project" : "This needs the role Op"} onClick={() => setPromotes(true)}>Promote</Button>}
                {last && last.columns.length > 0 && (
                    <span class="nb-draw">
                        <Select label="Drawn as" value={drawing.kind} set={(kind) => draw({ kind: kind as DrawingKind })} of={[...DRAWINGS]} />
                        {drawing.kind !== "table" && drawing.kind !== "cards" && last.columns.length > 1 && (
                            <>
                                <Select label="Along" value={drawing.x ?? ""} set={(x) => draw({ x })} of={[{ value: "", label: "first column" }, ...last.columns.map((c) => c.name)]} />
                                <Select label="Figure" value={drawing.y ?? ""} set={(y) => draw({ y })} of={[{ value: "", label: "every number" }, ...last.columns.map((c) => c.name)]} />
                            </>
                        )}
                        <Save of={last} name={`cell-${p.number}`} />
                    </span>
                )}
            </Tools>
            {promotes && <Promote select={text} close={() => setPromotes(false)} />}
            {wrong && <Failed problem={wrong} />}
            {!wrong && results.map((r, i) => r.columns.length > 0 && <Result key={i} of={r} id={`r${p.of.id}${i}`} title={`Cell ${p.number}`} drawing={i === results.length - 1 ? p.of.drawing : undefined} />)}
            {watching !== undefined && !watched?.rows.length && <p class="quiet" role="status">Waiting for records.</p>}
            {answer && watching === undefined && !wrong && (
                <p class="quiet">{answer.notes.map((n) => <><bdi>{n}</bdi><br /></>)}{answer.ms.toFixed(1)} ms{p.of.live ? ", live" : ""}</p>
            )}
        </>
    );
}
