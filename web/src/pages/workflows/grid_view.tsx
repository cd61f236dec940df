/** The grid: tasks down, runs across, the newest at the right. Only cells in sight are in the document, and only the
 * states of runs in sight are asked for. */
import { Component } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Button, Empty, Failed, Icon, Loading, clock, duration, exact, listen, toMs, type Got, type Problem } from "../../kit";
import { channel, summaries, type Cell, type Change, type Run, type Structure } from "./api";
import { barHeight, cellState, gridRows, inOrder, inRing, inSight, type GridRow } from "./grid";
import { lasted } from "./parts";
import { over, tally, word } from "./states";

export type Choose = (run: string | null, task?: string | null, more?: Record<string, string | number | null>) => void;
interface Props {
    dag: string;
    structure: Structure;
    runs: Got<{ rows: Run[]; total: number }>;
    run: string;
    task: string;
    choose: Choose;
}

const COL = 22;
const ROW = 24;
const BARS = 56;
const BATCH = 100; // runs asked for at once
const COLS_AT_ONCE = 4; // columns come and go by so many, a block; and rows
const ROWS_AT_ONCE = 4;

/** States of runs, asked for as they come into sight, and again when the channel tells that a run has changed. */
export function useStates(dag: string, wanted: readonly string[]): { of: Map<string, Map<string, Cell>>; problem: Problem | undefined; retry: () => void } {
    const [known, setKnown] = useState<{ dag: string; of: Map<string, Map<string, Cell>> }>({ dag, of: new Map() });
    const [problem, setProblem] = useState<Problem>();
    const at = useRef({ stale: new Set<string>(), busy: false, failed: false, seen: new Map<string, number>(), wanted, again: () => undefined as void });
    const w = at.current;
    w.wanted = wanted;
    const have = known.dag === dag ? known.of : new Map<string, Map<string, Cell>>();
    w.again = () => {
        if (w.busy || w.failed) return;
        const ask = w.wanted.filter((r) => !have.has(r) || w.stale.has(r)).slice(0, BATCH);
        if (!ask.length) return;
        w.busy = true;
        ask.forEach((r) => w.stale.delete(r));
        void summaries(dag, ask).then((got) => {
            w.busy = false;
            w.failed = !got.ok; // what the server refuses is asked again by a person, or when it talks again
            if (!got.ok) return (ask.forEach((r) => w.stale.add(r)), setProblem(got.problem));
            setProblem(undefined);
            setKnown((k) => {
                const of = new Map(k.dag === dag ? k.of : []);
                for (const r of ask) of.set(r, got.value.get(r) ?? new Map());
                return { dag, of };
            });
        });
    };
    useEffect(() => listen<Change>(channel("dag", dag), (c) => {
        const first = w.seen.size === 0;
        w.failed = false;
        for (const [run, version] of Object.entries(c.runs ?? {})) {
            if (w.seen.get(run) === version) continue;
            w.seen.set(run, version);
            w.stale.add(run);
        }
        if (!first || w.stale.size) w.again();
    }), [dag]);
    useEffect(() => w.again());
    return { of: have, problem, retry: () => ((w.failed = false), w.again()) };
}

function useRoom(deps: unknown[]) {
    const box = useRef<HTMLDivElement>(null);
    const [room, setRoom] = useState({ left: 0, top: 0, width: 1200, height: 800 });
    useLayoutEffect(() => {
        const b = box.current;
        if (!b) return undefined;
        let frame = 0;
        const look = () => {
            frame = 0;
            const whole = (x: number, step: number) => Math.floor(x / step) * step; // most scrolling changes nothing
            const left = whole(b.scrollLeft, COL * COLS_AT_ONCE);
            const top = whole(b.scrollTop - BARS, ROW * ROWS_AT_ONCE);
            const { clientWidth: width, clientHeight: height } = b;
            setRoom((r) => (r.left === left && r.top === top && r.width === width && r.height === height ? r : { left, top, width, height }));
        };
        const later = () => (frame ||= requestAnimationFrame(look));
        const size = new ResizeObserver(later);
        size.observe(b);
        b.addEventListener("scroll", later, { passive: true });
        look();
        return () => (size.disconnect(), b.removeEventListener("scroll", later), cancelAnimationFrame(frame));
    }, deps);
    return { box, room };
}

/** Runs whose columns come and go together. */
interface Block {
    n: number; // its first column / COLS_AT_ONCE
    runs: readonly Run[];
}

function useBlocks(columns: readonly Run[]): readonly Block[] {
    return useMemo(() => Array.from({ length: Math.ceil(columns.length / COLS_AT_ONCE) }, (_, n) => ({ n, runs: columns.slice(n * COLS_AT_ONCE, (n + 1) * COLS_AT_ONCE) })), [columns]);
}

/** A cell that has the focus must not become another one below it. */
function useSteadyFocus(box: { current: HTMLElement | null }) {
    const focused = useRef("");
    const name = (c: Element | null) => `${c?.closest<HTMLElement>("[data-r]")?.dataset["r"]} ${(c as HTMLElement | null)?.dataset?.["c"]}`;
    useLayoutEffect(() => {
        const c = document.activeElement;
        if (c && box.current?.contains(c) && c.matches("[data-c]") && name(c) !== focused.current) (c as HTMLElement).blur();
    });
    return (e: Event) => void (focused.current = name(e.target as Element));
}

export function Grid({ dag, structure, runs, run, task, choose }: Props) {
    const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
    const tree = useMemo(() => inOrder(structure), [structure]);
    const rows = useMemo(() => gridRows(tree, closed), [tree, closed]);
    const columns = useMemo(() => [...(runs.value?.rows ?? [])].reverse(), [runs.value]);
    const { box, room } = useRoom([columns.length === 0]);
    const names = box.current?.querySelector<HTMLElement>(".wf-names")?.offsetWidth ?? 200;
    const [from, to] = inSight(columns.length, COL, room.left, Math.max(0, room.width - names), COLS_AT_ONCE);
    const [top, bottom] = inSight(rows.length, ROW, Math.max(0, room.top), room.height, ROWS_AT_ONCE);
    const all = useBlocks(columns);
    const [first, last] = [from / COLS_AT_ONCE, Math.ceil(to / COLS_AT_ONCE)];
    const places = Math.max(1, last - first); // as many as stand there, no more: what comes takes what has left
    const linePlaces = Math.max(1, Math.ceil((bottom - top) / ROWS_AT_ONCE) * ROWS_AT_ONCE);
    const blocks = useMemo(() => inRing(first, last, places).map((n) => all[n]!), [all, first, last, places]);
    const onFocus = useSteadyFocus(box);
    const shown = useMemo(() => columns.slice(from, to), [columns, from, to]);
    const wanted = useMemo(() => shown.map((r) => r.dag_run_id), [shown]);
    const states = useStates(dag, wanted);
    const [at, setAt] = useState<{ row: number; col: number } | null>(null);
    const [tip, setTip] = useState("");
    const stuck = useRef(true);

    useLayoutEffect(() => { // the newest are in sight at first, and stay so
        const b = box.current;
        if (b && stuck.current) b.scrollLeft = b.scrollWidth;
    }, [columns.length, box.current === null]);
    useEffect(() => { // a run of the address bar is brought into sight
        const b = box.current;
        const i = columns.findIndex((r) => r.dag_run_id === run);
        if (!b || i < 0) return;
        const x = i * COL;
        const width = b.clientWidth - names;
        if (x < b.scrollLeft || x + COL > b.scrollLeft + width) b.scrollLeft = Math.max(0, x - width / 2);
    }, [run, columns.length > 0]);

    if (runs.problem) return <Failed problem={runs.problem} retry={runs.reload} />;
    if (!runs.value) return <Loading what="the runs" />;
    if (!rows.length) return <Empty title="This dag has no tasks." />;
    const longest = Math.max(0, ...shown.map((r) => lasted(r.start_date, r.end_date) ?? 0));
    const groups = rows.some((r) => r.group);
    const cursor = at ?? { row: -1, col: columns.length - 1 };
    const fold = (id: string) => setClosed((c) => {
        const next = new Set(c);
        if (!next.delete(id)) next.add(id);
        return next;
    });
    const describe = (row: number, col: number): string => {
        const r = columns[col];
        if (!r) return "";
        const g = rows[row];
        const start = toMs(r.start_date);
        if (!g) return `${r.dag_run_id}: ${word(r.state)}${start === null ? "" : `, started ${exact(start)}`}${r.end_date && start !== null ? `, took ${duration(toMs(r.end_date)! - start)}` : ""}`;
        const cell = states.of.get(r.dag_run_id)?.get(g.id);
        const s = cellState(g, states.of.get(r.dag_run_id));
        if (s === undefined) return `${g.id} in ${r.dag_run_id}: not there`;
        const begin = toMs(cell?.min_start_date);
        return `${g.id} in ${r.dag_run_id}: ${cell?.child_states ? tally(cell.child_states) : word(s)}${begin === null ? "" : `, started ${clock(begin)}`}${cell?.max_end_date && begin !== null && over(s) ? `, took ${duration(toMs(cell.max_end_date)! - begin)}` : ""}${cell?.has_note ? ", has a note" : ""}`;
    };
    const open = (row: number, col: number) => {
        const r = columns[col];
        const g = rows[row];
        if (!r) return;
        if (!g) choose(r.dag_run_id);
        else if (g.group) fold(g.id);
        else if (cellState(g, states.of.get(r.dag_run_id)) !== undefined) choose(r.dag_run_id, g.id);
    };
    const place = (e: Event): { row: number; col: number } | null => {
        const c = (e.target as Element).closest<HTMLElement>("[data-c]");
        return c ? { row: Number(c.closest<HTMLElement>("[data-r]")!.dataset["r"]), col: Number(c.dataset["c"]) } : null;
    };
    const move = (row: number, col: number) => {
        const next = { row: Math.max(-1, Math.min(rows.length - 1, row)), col: Math.max(0, Math.min(columns.length - 1, col)) };
        setAt(next);
        setTip(describe(next.row, next.col));
        const b = box.current!;
        const x = next.col * COL;
        if (x < b.scrollLeft) b.scrollLeft = x;
        else if (x + COL > b.scrollLeft + b.clientWidth - names) b.scrollLeft = x + COL - b.clientWidth + names;
        const y = next.row * ROW;
        if (next.row >= 0 && y < b.scrollTop) b.scrollTop = y;
        else if (y + ROW + BARS > b.scrollTop + b.clientHeight) b.scrollTop = y + ROW + BARS - b.clientHeight;
        requestAnimationFrame(() => requestAnimationFrame(() => b.querySelector<HTMLElement>(`[data-r="${next.row}"] [data-c="${next.col}"]`)?.focus({ preventScroll: true })));
    };
    const onKey = (e: KeyboardEvent) => {
        const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -1e6], End: [0, 1e6], PageUp: [-10, 0], PageDown: [10, 0] }[e.key];
        const p = place(e);
        if (!p) return;
        if (step) (e.preventDefault(), move(p.row + step[0]!, p.col + step[1]!));
        else if (e.key === "Enter" || e.key === " ") (e.preventDefault(), open(p.row, p.col));
    };
    const focusable = (row: number, col: number) => (cursor.row === row && Math.min(Math.max(cursor.col, from), to - 1) === col ? 0 : -1);
    const shared = { blocks, places, states: states.of, run, fold };
    return (
        <div class="wf-grid-frame">
            <div class="wf-grid-tools">
                <span class="wf-tip quiet" role="status">{tip || (columns.length > 1 ? `${columns.length}${runs.value.total > columns.length ? ` of ${runs.value.total}` : ""} runs, the newest at the right` : "")}</span>
                {groups && <Button kind="bare" onClick={() => setClosed(closed.size ? new Set() : new Set(rows.filter((r) => r.group).map((r) => r.id)))}>{closed.size ? "Open all groups" : "Close all groups"}</Button>}
            </div>
            {states.problem && <Failed problem={states.problem} retry={states.retry} />}
            {!columns.length && <Empty title="It has not run yet.">Trigger it, or turn it on and wait for its schedule.</Empty>}
            <div class="wf-grid" ref={box} role="grid" aria-label={`Tasks and runs of ${dag}`} aria-rowcount={rows.length + 1} aria-colcount={columns.length + 1}
                style={{ "--col": `${COL}px`, "--row": `${ROW}px`, "--bars": `${BARS}px`, "--line": `${columns.length * COL}px`, "--tall": `${rows.length * ROW}px` }}
                onKeyDown={onKey} onFocusCapture={onFocus} onClick={(e) => { const p = place(e); if (p) (setAt(p), open(p.row, p.col)); }}
                onMouseOver={(e) => { const p = place(e); if (p) setTip(describe(p.row, p.col)); }} onMouseLeave={() => setTip("")}
                onScroll={(e) => { const b = e.currentTarget; stuck.current = b.scrollLeft + b.clientWidth >= b.scrollWidth - 2; }}>
                <div class="wf-grid-row wf-grid-head" role="row" aria-rowindex={1} data-r={-1}>
                    <span class="wf-names" role="columnheader"><span class="hidden">Task</span><span class="quiet num">{longest > 0 ? duration(longest) : ""}</span></span>
                    <span class="wf-line" role="presentation">
                        {blocks.map((block) => (
                            <span key={block.n % places} class="wf-block" role="presentation" style={{ left: `${block.n * COLS_AT_ONCE * COL}px` }}>
                                {block.runs.map((r, i) => {
                                    const c = block.n * COLS_AT_ONCE + i;
                                    return (
                                        <span key={i} role="columnheader" aria-colindex={c + 2} data-c={c} tabIndex={focusable(-1, c)} aria-label={`${r.dag_run_id}: ${word(r.state)}`} class={`wf-head-at wf-bar-at${r.dag_run_id === run ? " in-run" : ""}`}>
                                            <span class="hidden">{r.dag_run_id}</span><span class={`wf-bar is-${r.state}`} style={{ height: `${barHeight(lasted(r.start_date, r.end_date), longest, BARS - 12)}px` }} data-type={r.run_type} />
                                        </span>
                                    );
                                })}
                            </span>
                        ))}
                    </span>
                </div>
                <div class="wf-rows" role="presentation">
                    {inRing(top, bottom, linePlaces).map((n) => (
                        <GridLine key={n % linePlaces} {...shared} of={rows[n]!} n={n} task={rows[n]!.id === task ? task : ""} focus={cursor.row === n ? Math.min(Math.max(cursor.col, from), to - 1) : -1} />
                    ))}
                </div>
            </div>
            <Legend />
        </div>
    );
}

interface LineProps {
    of: GridRow;
    n: number;
    blocks: readonly Block[];
    places: number;
    states: ReadonlyMap<string, Map<string, Cell>>;
    run: string;
    task: string; // the chosen one, when it is this row's
    focus: number; // the column that Tab leads to; -1: none of this row
    fold: (id: string) => void;
}

/** A task's row, at its place: its element was another row's before. */
function GridLine(p: LineProps) {
    const { of: g, n, blocks, places, fold } = p;
    return (
        <div class={`wf-grid-row${g.group ? " is-group" : ""}`} role="row" aria-rowindex={n + 2} data-r={n} style={{ top: `${n * ROW}px` }}>
            <span class="wf-names" role="rowheader" title={g.id} style={{ "--depth": g.depth }}>
                {g.group ? (
                    <button type="button" class="wf-fold" aria-expanded={g.open} onClick={() => fold(g.id)}><Icon name={g.open ? "down" : "right"} /><bdi>{g.label}</bdi> <span class="quiet">{g.tasks.length}</span></button>
                ) : <bdi>{g.label}{g.mapped ? " [ ]" : ""}</bdi>}
            </span>
            <span class="wf-line" role="presentation">
                {blocks.map((block) => <Cells key={block.n % places} of={g} n={n} block={block} states={p.states} run={p.run} task={p.task} focus={Math.floor(p.focus / COLS_AT_ONCE) === block.n ? p.focus : -1} />)}
            </span>
        </div>
    );
}

type CellsProps = Pick<LineProps, "of" | "n" | "states" | "run" | "task" | "focus"> & { block: Block };

/** A block of a row's cells; drawn anew only when something of it is another, so that scrolling costs little. */
class Cells extends Component<CellsProps> {
    override shouldComponentUpdate(next: CellsProps): boolean {
        const p = this.props;
        return p.of !== next.of || p.n !== next.n || p.block !== next.block || p.states !== next.states || p.run !== next.run || p.task !== next.task || p.focus !== next.focus;
    }
    override render({ of: g, block, states, run, task, focus }: CellsProps) {
        const first = block.n * COLS_AT_ONCE;
        const all = block.runs.map((r) => cellState(g, states.get(r.dag_run_id)));
        const even = all.every((s) => s === "success"); // as most are: the block draws its squares as one
        return (
            <span class={`wf-block${even ? " is-even" : ""}`} role="presentation" style={{ left: `${first * COL}px`, width: `${all.length * COL}px` }}>
                {block.runs.map((r, i) => {
                    const id = r.dag_run_id;
                    const known = states.has(id);
                    const s = all[i];
                    const chosen = id === run && task !== "";
                    return (
                        <span key={i} role="gridcell" aria-colindex={first + i + 2} data-c={first + i} tabIndex={focus === first + i ? 0 : -1} aria-label={`${g.id}, ${id}: ${s === undefined ? "not there" : word(s)}`} aria-selected={chosen || undefined}
                            class={`wf-at is-${s === undefined ? (known ? "absent" : "waiting") : (s ?? "none")}${id === run ? " in-run" : ""}${chosen ? " is-chosen" : ""}`} />
                    );
                })}
            </span>
        );
    }
}

const SHOWN = ["success", "running", "failed", "upstream_failed", "up_for_retry", "queued", "skipped", "none"];

export function Legend() {
    return <p class="wf-legend quiet" aria-label="What the squares mean">{SHOWN.map((s) => <span key={s}><span class={`wf-cell is-${s}`} />{word(s === "none" ? null : s)}</span>)}</p>;
}
