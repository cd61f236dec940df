/** A dag's params as fields of a form, and what was filled in as the run's conf. Pure. */
import type { Param, ParamSchema } from "./api";

export type FieldKind = "text" | "number" | "integer" | "yes" | "choice" | "json" | "lines" | "time" | "date";

export interface ParamField {
    name: string;
    kind: FieldKind;
    label: string;
    hint: string;
    value: string; // at first
    choices: string[];
    schema: ParamSchema;
    nullable: boolean;
}

const types = (s: ParamSchema): string[] => (Array.isArray(s.type) ? s.type : s.type ? [s.type] : []);

function kindOf(p: Param): FieldKind {
    const of = types(p.schema).filter((t) => t !== "null");
    if (Array.isArray(p.schema.enum)) return "choice";
    const type = of.length === 1 ? of[0] : of.length === 0 ? (typeof p.value === "boolean" ? "boolean" : typeof p.value === "number" ? "number" : typeof p.value === "string" ? "string" : "") : "";
    if (type === "boolean") return "yes";
    if (type === "integer" || type === "number") return type;
    if (type === "array" && p.schema.items?.type === "string") return "lines";
    if (type === "string") return p.schema.format === "date-time" ? "time" : p.schema.format === "date" ? "date" : "text";
    return "json";
}

/** As it stands in a field. */
export function shown(value: unknown, kind: FieldKind): string {
    if (value === null || value === undefined) return "";
    if (kind === "lines" && Array.isArray(value)) return value.join("\n");
    if (kind === "json") return JSON.stringify(value, null, 2);
    if (kind === "choice" || typeof value === "object") return typeof value === "string" ? value : JSON.stringify(value);
    return String(value);
}

export function fieldsOf(params: Record<string, Param>): ParamField[] {
    return Object.entries(params).map(([name, p]) => {
        const kind = kindOf(p);
        const s = p.schema;
        const limits = [
            s.minimum !== undefined && s.maximum !== undefined ? `${s.minimum} to ${s.maximum}` : s.minimum !== undefined ? `at least ${s.minimum}` : s.maximum !== undefined ? `at most ${s.maximum}` : "",
            s.minLength ? `${s.minLength} letters at least` : "",
            s.maxLength ? `${s.maxLength} letters at most` : "",
            kind === "lines" ? "one a line" : kind === "json" ? "JSON" : "",
        ].filter(Boolean).join(", ");
        return {
            name, kind, label: s.title ?? name, schema: s, value: shown(p.value, kind),
            choices: (s.enum ?? []).map((e) => (typeof e === "string" ? e : JSON.stringify(e))),
            hint: [p.description ?? s.description ?? "", limits].filter(Boolean).join("; "),
            nullable: types(s).includes("null"),
        };
    });
}

/** The value of what stands in a field, or what is wrong with it. */
export function read(f: ParamField, text: string): { value: unknown } | { wrong: string } {
    if (f.kind === "yes") return { value: text === "true" };
    if (text === "" && f.nullable) return { value: null };
    if (f.kind === "choice") {
        const at = f.choices.indexOf(text);
        return at < 0 ? { wrong: "One of the choices" } : { value: f.schema.enum![at] };
    }
    if (f.kind === "integer" || f.kind === "number") {
        const n = Number(text);
        if (text.trim() === "" || !Number.isFinite(n)) return { wrong: "A number" };
        if (f.kind === "integer" && !Number.isInteger(n)) return { wrong: "A whole number" };
        if (f.schema.minimum !== undefined && n < f.schema.minimum) return { wrong: `At least ${f.schema.minimum}` };
        if (f.schema.maximum !== undefined && n > f.schema.maximum) return { wrong: `At most ${f.schema.maximum}` };
        return { value: n };
    }
    if (f.kind === "lines") return { value: text.split("\n").filter((l) => l !== "") };
    if (f.kind === "json") {
        try {
            return { value: JSON.parse(text) as unknown };
        } catch (e) {
            return { wrong: `Not JSON: ${(e as Error).message}` };
        }
    }
    if (f.schema.minLength && text.length < f.schema.minLength) return { wrong: `${f.schema.minLength} letters at least` };
    return { value: text };
}

/** The run's conf: what differs from the params' own values, and what stands in the JSON beside them. */
export function confOf(fields: readonly ParamField[], values: Record<string, string>, more: string): { conf: Record<string, unknown> } | { wrong: Record<string, string> } {
    const wrong: Record<string, string> = {};
    const conf: Record<string, unknown> = {};
    try {
        const parsed = (more.trim() ? JSON.parse(more) : {}) as unknown;
        if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) wrong[""] = "An object: {\"name\": value}";
        else Object.assign(conf, parsed);
    } catch (e) {
        wrong[""] = `Not JSON: ${(e as Error).message}`;
    }
    for (const f of fields) {
        const text = values[f.name] ?? f.value;
        if (text === f.value) continue;
        const got = read(f, text);
        if ("wrong" in got) wrong[f.name] = got.wrong;
        else conf[f.name] = got.value;
    }
    return Object.keys(wrong).length ? { wrong } : { conf };
}
