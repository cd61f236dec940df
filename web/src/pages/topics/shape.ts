/** What the API tells of topics and their messages. */
import type { Problem } from "../../kit/api";
import { encodeWord } from "../../kit/channel";

export interface TopicRow {
    name: string;
    internal: boolean;
    partition_count: number;
    records: number;
    bytes: number;
    rate: number | null;
    bytes_rate: number | null;
    cleanup: string;
    retention_ms: number | null;
    retention_bytes: number | null;
    readers: string[];
    writers: string[];
}
export interface Partition {
    partition: number;
    start: number;
    end: number;
    stable: number;
    records: number;
    bytes: number;
    rate: number | null;
    bytes_rate: number | null;
}
export interface Topic extends TopicRow {
    message_max_bytes: number;
    partitions: Partition[];
}
export interface Bytes {
    type: "null" | "json" | "text" | "binary";
    text: string | null;
    size: number;
    cut: boolean;
    schema_id?: number;
}
export interface Message {
    partition: number;
    offset: number;
    last_offset: number;
    time: string | null;
    time_ms: number;
    time_of: string;
    kind: string;
    key: Bytes;
    value: Bytes;
    headers: { name: string; value: Bytes }[];
    codec: string;
    producer_id: number | null;
}
export interface Page {
    records: Message[];
    next: string | null;
    end: "limit" | "end" | "time" | "bytes" | "stopped";
    scanned: number;
    left: number;
    unsure: number;
    unsure_why: string | null;
}
export interface Setting {
    name: string;
    value: string;
    default: string;
    own: boolean;
    kept_only: boolean;
    kind: string;
    about: string;
}
export interface GroupRow {
    name: string;
    state: string;
    lag: number;
    member_count: number;
    topics: string[];
    stream: string | null;
}

export interface Tail {
    records: Message[];
    left_out: number;
    behind: number;
    unsure: number;
    why: string | null;
}
export interface Wanted {
    partition: string;
    q: string;
    where: string;
    committed: boolean;
}

/** So many partitions are read together at most (log/browse.h says why). */
export const TOGETHER = 256;
const CHANNEL_MAX = 3000; // of the address of the tab's one stream, which other channels share

/** Partitions that can be read together, as `partition` takes them: of a small topic all, of a large one its ranges. */
export function ranges(partitions: number): string[] {
    if (partitions <= TOGETHER) return [""];
    return Array.from({ length: Math.ceil(partitions / TOGETHER) }, (_, i) => `${i * TOGETHER}-${Math.min((i + 1) * TOGETHER, partitions) - 1}`);
}

/** The range that a partition lies in. */
export function rangeOf(partition: string, partitions: number): string {
    const of = ranges(partitions);
    return of[Math.floor(parseInt(partition || "0", 10) / TOGETHER)] ?? of[0]!;
}

/** The live channel of what is wanted, or why there is none. */
export function tailOf(topic: string, w: Wanted): { channel: string } | { problem: Problem } {
    const words = [["partition", w.partition], ["q", w.q], ["where", w.where.trim()], ["committed", w.committed ? "true" : ""]] as const;
    const said = words.filter(([, v]) => v !== "").map(([k, v]) => `${k}=${encodeWord(v)}`);
    const channel = `tail:${topic}${said.length ? "?" : ""}${said.join("&")}`;
    const over = encodeURIComponent(channel).length - CHANNEL_MAX;
    return over <= 0 ? { channel } : { problem: { status: 400, code: "ERR_TOO_BIG", what: `The filter is too long to be followed live, by ${over} letters.`, hint: "Shorten it, or look without Live." } };
}

/** What is new on top. A tail that was interrupted tells its last ones again: each stands once. */
export function onTop(rows: Message[], fresh: Message[], most: number): Message[] {
    const known = new Set(fresh.map(placeOf));
    return [...[...fresh].reverse(), ...rows.filter((m) => !known.has(placeOf(m)))].slice(0, most);
}

export const placeOf = (m: Message) => `${m.partition}:${m.offset}`;

/** A retention in words. */
export function keeps(t: TopicRow): string {
    if (t.cleanup === "compact") return "last of each key";
    const ms = t.retention_ms;
    if (ms === null) return t.retention_bytes === null ? "for ever" : "by size";
    const units: [number, string][] = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1000, "s"]];
    const [size, unit] = units.find(([s]) => ms >= s && ms % s === 0) ?? [1, "ms"];
    return `${ms / size} ${unit}${t.cleanup.startsWith("compact,") ? ", compacted" : ""}`;
}
