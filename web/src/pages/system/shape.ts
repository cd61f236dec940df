/** What the API tells of the server, and the few things that are made of it. Pure. */
export interface Spot {
    address: string;
    port: number | null;
    tls: boolean;
    setting: string;
    page: string | null;
    connections: number;
    accepted: number;
    refused: number;
    bytes_in: number;
    bytes_out: number;
}
export interface Door {
    name: string;
    about: string;
    login: string;
    requests: number | null;
    errors: number | null;
    listeners: Spot[];
}
export interface Person {
    name: string;
    role: string;
    login: boolean;
    well_known: boolean;
    mechanisms: string[];
    member_of: string[];
    grants: { resource: string; permissions: string[] }[];
}
export interface HeldBack {
    address: string;
    failures: number;
    wait_ms: number;
    ago_ms: number;
}
export interface People {
    users: Person[];
    admins: number;
    held_back: HeldBack[];
}
export interface Role {
    name: string;
    cql: string;
    kafka: string;
    console: string;
    adds: { method: string; path: string; about: string }[];
}
export interface Setting {
    key: string;
    value: string;
    default: string;
    source: string;
    changed: boolean;
    live: boolean;
    takes: string;
    about: string;
}
export interface Stage {
    kind: string;
    name: string;
    cpu_ns: number;
    cpu: number | null;
    memory: number;
    state_bytes: number;
    state_rows: number;
    threads: number;
}
export interface Thread {
    name: string;
    room: string;
    count: number;
    cpu_ns: number;
    cpu: number | null;
}
export interface Resources {
    pid: number;
    started: string;
    processors: number;
    cpu_ns: number;
    cpu: number | null;
    files: number;
    files_max: number;
    memory: { used: number; budget: number; machine: number; resident: number; resident_peak: number; swapped: number; rows_fresh: number; rows_cached: number; buffers: number; stages: number; rest: number };
    disk: { free: number | null; size: number | null; tables: number; topics: number; to_compact: number; compactions: number };
    stages: Stage[];
    threads: Thread[];
}
export interface LogLine {
    seq: number;
    time: string;
    level: string;
    room: string;
    message: string;
    rest: string;
}
export interface LogRoom {
    room: string;
    level: string;
}
export interface Logs {
    lines: LogLine[];
    end: number;
    rooms: LogRoom[];
}
export interface Tail {
    lines: LogLine[];
    from: number;
    end: number;
}
export interface Finding {
    word: string;
    area: string;
    what: string;
    where: string;
    why: string;
    hint: string;
    text: string | null;
}
export interface Examined {
    problems: number;
    ms: number;
    findings: Finding[];
}

export const ROLES = ["viewer", "user", "op", "admin", "none"];
export const LEVELS = ["debug", "info", "warn", "error", "off"];

/** 0.42 of a processor is 42 %, as top says it. */
export function share(cpu: number | null): string {
    if (cpu === null) return "–";
    const n = cpu * 100;
    return `${n < 10 ? Number(n.toFixed(1)) : Math.round(n)} %`;
}

/** "127.0.0.1:8080, 9021, TLS 9093": where a door is found, the address once. */
export function placesOf(d: Door): string {
    let last = "";
    return d.listeners
        .map((s) => {
            if (s.port === null) return s.address;
            const host = s.address.includes(":") ? `[${s.address}]` : s.address;
            const here = host === last ? String(s.port) : `${host}:${s.port}`;
            last = host;
            return s.tls ? `TLS ${here}` : here;
        })
        .join(", ");
}

export function sum(d: Door, what: "connections" | "accepted" | "refused" | "bytes_in" | "bytes_out"): number {
    return d.listeners.reduce((n, s) => n + s[what], 0);
}

/** The variable that says a setting: kafka.tls_port -> SLUICE_KAFKA_TLS_PORT */
export function variableOf(key: string): string {
    return `SLUICE_${key.toUpperCase().replaceAll(".", "_")}`;
}

/** Where a value comes from, in a word or two. */
export function sourceWord(s: Setting): string {
    return s.source === "--set" ? "command line, --set" : s.source.startsWith("SLUICE_") ? `environment, ${s.source}` : s.source;
}

/** Whether a line is one of those that are asked for; as the server judges it. */
export function wanted(l: LogLine, room: string, level: string, text: string): boolean {
    if (room && l.room !== room) return false;
    if (level && LEVELS.indexOf(l.level) < LEVELS.indexOf(level)) return false;
    const all = `ts=${l.time} level=${l.level} room=${l.room} msg="${l.message}" ${l.rest}`;
    return !text || all.toLowerCase().includes(text.toLowerCase());
}

/** Old and new lines together, each once, in order, the newest `most` of them. */
export function joined(old: LogLine[], fresh: LogLine[], most: number): LogLine[] {
    const last = old.at(-1)?.seq ?? 0;
    const more = fresh.filter((l) => l.seq > last);
    return more.length === 0 ? old : [...old, ...more].slice(-most);
}
