/** A notebook as it is edited, and as nbformat 4 has it. What this page does not know of a file it keeps. */
import type { Drawing, SqlResult } from "../../kit";

export interface Cell {
    id: string;
    kind: "sql" | "markdown" | "other"; // other: code of another kernel, shown and kept
    text: string;
    drawing?: Drawing | undefined;
    live?: boolean | undefined;
    result?: SqlResult | undefined; // kept in the file, up to KEEP rows
    raw: Record<string, unknown>; // the cell as it was read
}
export interface Notebook {
    cells: Cell[];
    raw: Record<string, unknown>;
}

const KEEP = 100;
const MIME = "application/vnd.sluice.result+json";

const joined = (v: unknown): string => (Array.isArray(v) ? v.join("") : typeof v === "string" ? v : "");
const lines = (text: string): string[] => text.split(/(?<=\n)/);
export const newId = (): string => Array.from(crypto.getRandomValues(new Uint8Array(4)), (b) => b.toString(16).padStart(2, "0")).join("");

type Rec = Record<string, unknown>;
const rec = (v: unknown): Rec => (v && typeof v === "object" && !Array.isArray(v) ? (v as Rec) : {});

function resultOf(cell: Rec): SqlResult | undefined {
    const outputs = Array.isArray(cell.outputs) ? (cell.outputs as Rec[]) : [];
    for (const o of outputs) {
        const kept = rec(rec(o).data)[MIME] as SqlResult | undefined;
        if (kept && Array.isArray(kept.columns) && Array.isArray(kept.rows)) return kept;
    }
    return undefined;
}

/** What another kernel's run has left in the file, as plain text. */
export function printed(cell: Rec): string {
    const outputs = Array.isArray(cell.outputs) ? (cell.outputs as Rec[]) : [];
    return outputs.map((o) => joined(o.text) || joined(rec(o.data)["text/plain"]) || joined(o.traceback)).filter(Boolean).join("\n");
}

/** SQL cells are those of a notebook whose kernel speaks it, and those that begin with %%sql (or %%cql). */
export function read(content: unknown): Notebook {
    const raw = rec(content);
    const language = String(rec(rec(raw.metadata).kernelspec).language ?? rec(rec(raw.metadata).language_info).name ?? "sql").toLowerCase();
    const cells = (Array.isArray(raw.cells) ? raw.cells : []).map((v): Cell => {
        const c = rec(v);
        const text = joined(c.source);
        const own = rec(rec(c.metadata).sluice);
        const sql = language === "sql" || /^%%(sql|cql)\b/.test(text);
        return {
            id: String(c.id ?? newId()),
            kind: c.cell_type === "markdown" ? "markdown" : c.cell_type === "code" && sql ? "sql" : "other",
            text, raw: c, live: own.live === true, drawing: own.drawing as Drawing | undefined, result: resultOf(c),
        };
    });
    return { cells, raw };
}

/** What runs of an SQL cell: not the magic word of its first line. */
export const statement = (text: string): string => text.replace(/^%%(sql|cql)[^\n]*\n?/, "");

/** One SELECT, live or not: what can become a stream or a view. */
export const promotable = (text: string): boolean => /^\s*(--[^\n]*\n\s*)*(select|with|watch)\b/i.test(text);

function outputsOf(r: SqlResult | undefined): unknown[] {
    if (!r) return [];
    const kept = { columns: r.columns, rows: r.rows.slice(0, KEEP), more: r.more || r.rows.length > KEEP };
    const plain = [kept.columns.map((c) => c.name), ...kept.rows].map((row) => row.map((v) => (typeof v === "object" && v !== null ? JSON.stringify(v) : String(v))).join(" | ")).join("\n");
    return [{ output_type: "execute_result", execution_count: null, metadata: {}, data: { [MIME]: kept, "text/plain": lines(plain) } }];
}

export function write(n: Notebook): Rec {
    const metadata = rec(n.raw.metadata);
    return {
        ...n.raw,
        nbformat: 4,
        nbformat_minor: Math.max(5, Number(n.raw.nbformat_minor) || 0),
        metadata: { ...metadata, ...(!metadata.kernelspec && { kernelspec: { name: "sluice", display_name: "Sluice SQL", language: "sql" }, language_info: { name: "sql" } }) },
        cells: n.cells.map((c) => {
            const known = rec(rec(c.raw).metadata);
            const own = { ...(c.drawing && { drawing: c.drawing }), ...(c.live && { live: true }) };
            const { sluice: _, ...others } = known;
            const base = { ...c.raw, id: c.id, metadata: { ...others, ...(Object.keys(own).length && { sluice: own }) }, source: lines(c.text) };
            if (c.kind === "markdown") return { ...base, cell_type: "markdown" };
            if (c.kind === "other") return base;
            const untouched = !c.result && c.text === joined(c.raw.source); // what another program's run has left stays
            return { ...base, cell_type: "code", execution_count: untouched ? (c.raw.execution_count ?? null) : null, outputs: untouched ? (c.raw.outputs ?? []) : outputsOf(c.result) };
        }),
    };
}

export const emptyNotebook = (): Rec => write({ raw: {}, cells: [{ id: newId(), kind: "markdown", text: "# A first look", raw: {} }, { id: newId(), kind: "sql", text: "SHOW TABLES", raw: {} }] });
