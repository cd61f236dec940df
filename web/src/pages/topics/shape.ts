/** What the API tells of topics and their messages. */
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
