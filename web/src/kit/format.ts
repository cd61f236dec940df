/** How numbers, sizes and times are said. Pure. Not by Intl: its first use takes a fresh page
 * 20 ms of the processor, before its first picture. */

/** 1234.5678 -> "1,234.568": grouped, with so many digits behind the point at most. */
export function grouped(n: number, digits = 3): string {
    const [whole, rest = ""] = Math.abs(n).toFixed(digits).split(".") as [string, string?];
    const few = rest.replace(/0+$/, "");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (few && "." + few);
    return n < 0 && text !== "0" ? "-" + text : text;
}

/** 120394 -> "120,394"; what is not there is a dash. */
export function count(n: number | null | undefined): string {
    if (n === null || n === undefined || !Number.isFinite(n)) return "–";
    return Math.abs(n) < 10 && !Number.isInteger(n) ? grouped(n, 1) : grouped(n, 0);
}

/** 1234567 -> "1.23 M": where room is short, with the whole one on hover. */
export function short(n: number | null | undefined): string {
    if (n === null || n === undefined || !Number.isFinite(n)) return "–";
    for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]] as const)
        if (Math.abs(n) >= size) return `${Number((n / (unit === "k" ? 1e3 : size)).toPrecision(3))} ${unit}`;
    return count(n);
}

/** "1,204/s" */
export function rate(n: number | null | undefined): string {
    return n === null || n === undefined ? "–" : `${short(n)}/s`;
}

/** 1536 -> "1.5 KiB" */
export function bytes(n: number | null | undefined): string {
    if (n === null || n === undefined || !Number.isFinite(n)) return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let u = 0;
    let v = n;
    while (Math.abs(v) >= 1024 && u < units.length - 1) (v /= 1024), u++;
    return `${grouped(v, u === 0 || v >= 100 ? 0 : 1)} ${units[u]}`;
}

/** 93500 -> "1 m 34 s"; 12 -> "12 ms" */
export function duration(ms: number | null | undefined): string {
    if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
    const a = Math.abs(ms);
    const sign = ms < 0 ? "−" : "";
    if (a < 1) return a === 0 ? "0 ms" : `${sign}${Number(a.toPrecision(2))} ms`;
    if (a < 1000) return `${sign}${Math.round(a)} ms`;
    if (a < 60_000) return `${sign}${a < 10_000 ? grouped(a / 1000, 1) : Math.round(a / 1000)} s`;
    const units = [[60_000, 1000, "m", "s"], [3_600_000, 60_000, "h", "m"], [86_400_000, 3_600_000, "d", "h"]] as const;
    for (const [big, small, b, s] of units) {
        const whole = Math.round(a / small) * small;
        if (whole >= big * (b === "m" ? 60 : 24) && b !== "d") continue;
        const lo = (whole % big) / small;
        return `${sign}${Math.floor(whole / big)} ${b}${lo ? ` ${lo} ${s}` : ""}`;
    }
    return "–";
}

export function percent(share: number | null | undefined): string {
    return share === null || share === undefined || !Number.isFinite(share) ? "–" : `${Number((share * 100).toPrecision(3))} %`;
}

/** A time out of what the API says: RFC 3339 or milliseconds. */
export function toMs(t: string | number | null | undefined): number | null {
    if (t === null || t === undefined || t === "") return null;
    const ms = typeof t === "number" ? t : Date.parse(t);
    return Number.isFinite(ms) ? ms : null;
}

const two = (n: number) => String(n).padStart(2, "0");

/** "14:03:22" */
export function clock(ms: number): string {
    const d = new Date(ms);
    return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** "2026-11-22 14:03:22.120 UTC+1": the local time with its zone. */
export function exact(ms: number): string {
    const d = new Date(ms);
    const off = -d.getTimezoneOffset();
    const zone = off === 0 ? "UTC" : `UTC${off > 0 ? "+" : "−"}${Math.floor(Math.abs(off) / 60)}${off % 60 ? ":" + two(Math.abs(off) % 60) : ""}`;
    const part = ms % 1000 ? "." + String(Math.abs(ms) % 1000).padStart(3, "0") : "";
    return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(ms)}${part} ${zone}`;
}

/** "12 s ago", "in 3 m": one unit, so that it is read at a glance. */
export function ago(ms: number, now: number): string {
    const past = now - ms;
    const a = Math.abs(past);
    if (a < 1500) return "now";
    const [size, unit] = ([[86_400_000 * 365, "y"], [86_400_000, "d"], [3_600_000, "h"], [60_000, "m"]] as const).find(([s]) => a >= s) ?? [1000, "s"];
    const text = `${Math.floor(a / size)} ${unit}`;
    return past > 0 ? `${text} ago` : `in ${text}`;
}

/** "1 topic", "3 topics" */
export function plural(n: number, one: string, many = one + "s"): string {
    return `${count(n)} ${n === 1 ? one : many}`;
}
