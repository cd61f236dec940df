/** What /alerts answers, and rules in words. */
import { bytes, count, duration } from "../../kit/format";

export interface Part {
    name: string;
    state: "ok" | "pending" | "firing";
    since_ms: number;
    value: number | null;
}
export interface Rule {
    name: string;
    watch: string;
    of: string;
    above?: number;
    below?: number;
    for: number;
    severity: string;
    hint: string;
    notify: string[];
    muted_until_ms: number;
    unit: string;
    origin: "ready" | "alerts.yaml" | "console";
    state: "ok" | "pending" | "firing";
    trouble: string;
    parts: Part[];
}
export interface Rules {
    rules: Rule[];
    file_error: string | null;
}
export interface Measure {
    name: string;
    unit: string;
    about: string;
}
export interface Happened {
    number: number;
    ms: number;
    what: string;
    rule: string;
    part: string;
    value: unknown;
    story: string;
}
export interface Receiver {
    name: string;
    webhook?: string;
    slack?: string;
    mail?: string;
    conn_id?: string;
    origin: "alerts.yaml" | "console";
}

export const kindOf = (r: Receiver): "webhook" | "slack" | "mail" => (r.webhook !== undefined ? "webhook" : r.slack !== undefined ? "slack" : "mail");
export const addressOf = (r: Receiver): string => r[kindOf(r)] ?? "";

/** A figure with its unit. */
export function figure(value: number | null, unit: string): string {
    if (value === null) return "without end";
    if (unit === "bytes") return bytes(value);
    if (unit === "seconds") return duration(value * 1000);
    const n = Number.isInteger(value) ? count(value) : value.toPrecision(4);
    return unit ? `${n} ${unit}` : n;
}

/** "lag of load above 100,000 records for 5 min" */
export function inWords(r: Pick<Rule, "watch" | "of" | "above" | "below" | "for" | "unit">): string {
    const what = r.watch === "sql" ? "a query" : r.watch.startsWith("metric") ? `${r.watch === "metric" ? "" : "growth of "}${r.of}` : r.of ? `${r.watch.replaceAll("_", " ")} of ${r.of}` : r.watch.replaceAll("_", " ");
    const limit = r.above !== undefined ? `above ${figure(r.above, r.unit)}` : `below ${figure(r.below ?? 0, r.unit)}`;
    return `${what} ${limit}${r.for ? ` for ${duration(r.for)}` : ""}`;
}
