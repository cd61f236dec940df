/** A table's rows: a condition of CQL, pages that come while one scrolls, one row beside the list. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Ago, Await, Button, Command, Empty, Failed, Loading, Table, api, duration, param, plural, setQuery, shell, useGet, useKeys, type Column, type Problem } from "../../kit";
import { RowWhy } from "./why";
import { isKey, isNumber, quoted, type Cell, type Rows, type TableColumn, type TableOne, type WholeRow } from "./shape";

const PAGE = 500;
const MOST = 200_000; // rows kept in the page

export function Browse({ keyspace, name, table }: { keyspace: string; name: string; table: TableOne }) {
    const where = param("where");
    const path = `tables/${encodeURIComponent(keyspace)}/${encodeURIComponent(name)}/rows`;
    const begun = useRef(param("page"));
    const [pages, setPages] = useState<Rows[]>();
    const [problem, setProblem] = useState<Problem>();
    const [asking, setAsking] = useState(false);
    const [turn, setTurn] = useState(0);
    const busy = useRef(false);
    useEffect(() => {
        const stop = new AbortController();
        setProblem(undefined);
        setAsking(true);
        void api.get<Rows>(path, { limit: PAGE, where, page: begun.current }, stop.signal).then((a) => {
            if (stop.signal.aborted) return;
            setAsking(false);
            if (a.ok) setPages([a.value]);
            else (setProblem(a.problem), setPages(undefined));
        });
        return () => stop.abort();
    }, [path, where, turn]);
    const more = async () => {
        const last = pages?.[pages.length - 1];
        if (!last?.next || busy.current || pages!.length * PAGE >= MOST) return;
        busy.current = true;
        const a = await api.get<Rows>(path, { limit: PAGE, where, page: last.next });
        busy.current = false;
        if (!a.ok) return setProblem(a.problem);
        setPages((p) => (p?.[p.length - 1] === last ? [...p, a.value] : p));
        setQuery({ page: last.next }); // a link leads to what is seen
    };
    const again = () => {
        begun.current = "";
        setQuery({ page: null });
        setTurn((n) => n + 1);
    };
    const shape = pages?.[0]?.columns ?? table.columns;
    const rows = useMemo(() => pages?.flatMap((p) => p.rows), [pages]);
    const keys = shape.map((c, i) => (isKey(c) ? i : -1)).filter((i) => i >= 0);
    const first = table.columns.length > 0 ? keys : [];
    const columns = useMemo(() => columnsOf(shape), [shape.map((c) => c.name + c.type).join()]);
    const numbers = useMemo(() => new Map(rows?.map((r, i) => [r, i])), [rows]);
    const keyOf = (r: Cell[]) => (first.length ? JSON.stringify(first.map((i) => r[i])) : `#${numbers.get(r)}`);
    const last = pages?.[pages.length - 1];
    const cql = `SELECT * FROM ${quoted(keyspace)}.${quoted(name)}${where ? ` WHERE ${where} ALLOW FILTERING` : ""}`;
    return (
        <div class="stack">
            <Condition columns={table.columns} where={where} set={(w) => ((begun.current = ""), setQuery({ where: w, page: null, row: null }, { step: true }), setTurn((n) => n + 1))} command={`sluice query ${shell(cql)}`} busy={asking} />
            {begun.current && pages && <p class="note note-quiet"><span>This begins in the middle of the table, where the link leads.</span><Button onClick={again}>From the beginning</Button></p>}
            {problem && <Failed problem={problem} retry={() => setTurn((n) => n + 1)} />}
            {!problem && !pages && <Loading what="rows" />}
            {pages && !problem && (
                <Table label="Rows" rows={rows} rowKey={keyOf} columns={columns} filter={false} remote onEnd={() => void more()} tools={<Button kind="bare" onClick={again} busy={asking}>Read again</Button>}
                    panelTitle={(r) => (first.length ? first.map((i) => r[i] ?? "null").join(", ") : "A row")}
                    panel={(r) => <One keyspace={keyspace} name={name} shape={shape} of={r} keys={first} />}
                    empty={where ? <Empty title="No row fits this condition." action={<Button onClick={() => setQuery({ where: null })}>Show all rows</Button>} /> : <Empty title="No rows." action={<Command text={`sluice query ${shell(cql)}`} />}>{table.size.writers.length ? `Rows that ${table.size.writers.join(", ")} writes would be listed here.` : "Rows that a stream or a CQL client writes would be listed here."}</Empty>}
                    note={last && <>{last.next ? `${plural(rows!.length, "row")} so far; more come while you scroll` : `${plural(rows!.length, "row")}, all there are`}{last.ms > 300 && `; the last page took ${duration(last.ms)}`}{pages.some((p) => p.cut) && "; long values are cut, a row shows them whole"}{last.notes.map((n) => `; ${n}`)}</>} />
            )}
        </div>
    );
}

function columnsOf(shape: TableColumn[]): Column<Cell[]>[] {
    return shape.map((c, i) => ({
        key: c.name, title: c.name, of: (r) => r[i], sort: false, right: isNumber(c), hint: `${c.name} ${c.type}${c.role === "regular" ? "" : `, ${c.role}`}`,
        width: isNumber(c) ? "minmax(88px, max-content)" : c.type === "uuid" || c.type === "timeuuid" ? "300px" : c.type === "boolean" ? "80px" : c.type === "timestamp" ? "232px" : "minmax(140px, 260px)",
        mono: c.type === "uuid" || c.type === "timeuuid" || c.type === "blob", ...(i >= 2 && { wide: true }),
        cell: (r) => (r[i] === null || r[i] === undefined ? <span class="none">null</span> : <bdi title={r[i]!.length > 24 ? r[i]! : undefined}>{r[i] === "" ? "\u00a0" : r[i]}</bdi>),
    }));
}

function Condition({ columns, where, set, command, busy }: { columns: TableColumn[]; where: string; set: (w: string | null) => void; command: string; busy: boolean }) {
    const [text, setText] = useState(where);
    const field = useRef<HTMLInputElement>(null);
    useEffect(() => setText(where), [where]);
    useKeys("Rows", [{ key: "/", what: "condition", run: () => field.current?.focus() }]);
    const example = columns[0] ? `${quoted(columns[0].name)} = ${isNumber(columns[0]) ? "1" : columns[0].type === "uuid" ? "…" : "'…'"}` : "";
    return (
        <form class="tables-where" role="search" onSubmit={(e) => (e.preventDefault(), set(text.trim() || null))}>
            <label class="tables-field"><span class="quiet">where</span>
                <input ref={field} class="input mono" type="search" value={text} placeholder={example} spellcheck={false} autocomplete="off" aria-label="Condition of CQL" list="tables-names" onInput={(e) => setText(e.currentTarget.value)} onKeyDown={(e) => e.key === "Escape" && (e.preventDefault(), setText(""), where && set(null))} />
            </label>
            <datalist id="tables-names">{columns.map((c) => <option key={c.name} value={`${quoted(c.name)} = `} />)}</datalist>
            <Button type="submit" busy={busy}>Filter</Button>
            {where && <Button kind="bare" onClick={() => set(null)}>All rows</Button>}
            <Command text={command} quiet />
        </form>
    );
}

function One({ keyspace, name, shape, of, keys }: { keyspace: string; name: string; shape: TableColumn[]; of: Cell[]; keys: number[] }) {
    const words = keys.map((i) => of[i] ?? "");
    const query = words.map((w) => `key=${encodeURIComponent(w)}`).join("&");
    const got = useGet<WholeRow>(keys.length ? `tables/${encodeURIComponent(keyspace)}/${encodeURIComponent(name)}/row?${query}` : null);
    if (!keys.length) return <dl class="tables-cells">{shape.map((c, i) => <div key={c.name}><dt><bdi>{c.name}</bdi></dt><dd>{of[i] === null ? <span class="none">null</span> : <bdi>{of[i]}</bdi>}</dd></div>)}</dl>;
    return (
        <div class="stack">
            <Await of={got} what="the row">
                {(row) => (
                    <dl class="tables-cells">
                        {row.cells.map((c) => (
                            <div key={c.column.name}>
                                <dt title={`${c.column.type}${c.column.role === "regular" ? "" : `, ${c.column.role}`}`}><bdi>{c.column.name}</bdi></dt>
                                <dd>{c.value === null ? <span class="none">null</span> : <bdi>{c.value}</bdi>}{c.written && <span class="quiet tables-written"><Ago at={c.written} /></span>}</dd>
                            </div>
                        ))}
                    </dl>
                )}
            </Await>
            <RowWhy key={query} keyspace={keyspace} name={name} words={words} />
        </div>
    );
}
