/** A dashboard as its file has it: filters, and widgets that each draw one statement. */
import { type Drawing } from "../../kit";

export interface Widget {
    id: string;
    title: string;
    sql: string;
    drawing: Drawing;
    width: 1 | 2 | 3; // thirds of the page
}
export interface Filter {
    name: string; // stands in statements as {{name}}
    label: string;
    value: string; // at first
    choices: string; // a statement whose first column are the choices; "" for a field
}
export interface Board {
    title: string;
    filters: Filter[];
    widgets: Widget[];
}

type Rec = Record<string, unknown>;
const text = (v: unknown, none = ""): string => (typeof v === "string" ? v : none);

export function read(content: unknown): Board {
    const c = (content ?? {}) as Rec;
    const list = (v: unknown): Rec[] => (Array.isArray(v) ? (v as Rec[]) : []);
    return {
        title: text(c.title),
        filters: list(c.filters).map((f) => ({ name: text(f.name), label: text(f.label, text(f.name)), value: text(f.value), choices: text(f.choices) })),
        widgets: list(c.widgets).map((w, i) => ({
            id: text(w.id, String(i + 1)), title: text(w.title), sql: text(w.sql), drawing: (w.drawing as Drawing) ?? { kind: "table" },
            width: w.width === 2 || w.width === 3 ? w.width : 1,
        })),
    };
}

/** {{name}} becomes a text of SQL, quoted: what a filter holds can never be a part of the statement. An empty filter
 * makes its line go: "WHERE nat = {{nat}}" on a line of its own is then not there. */
export function fill(sql: string, values: Record<string, string>): string {
    const kept = sql.split("\n").filter((line) => [...line.matchAll(/\{\{(\w+)\}\}/g)].every((m) => (values[m[1]!] ?? "") !== ""));
    return kept.join("\n").replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => `'${(values[name] ?? "").replaceAll("'", "''")}'`);
}

export const newWidget = (n: number): Widget => ({ id: `w${Date.now().toString(36)}${n}`, title: "New", sql: "SHOW TABLES", drawing: { kind: "table" }, width: 1 });
