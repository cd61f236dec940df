/** A schedule in words: "Monday to Friday at 09:00 Europe/Berlin". Pure.
 * Expressions are those of docs/schedules.md: five fields, a sixth of seconds, a seventh of years; names, lists,
 * ranges (over the end too), steps, L, L5, 2#3. What makes no plain sentence is told by the server's own words. */

export interface Asset {
    asset?: { name: string };
}
export interface Schedule {
    timetable_summary?: string | null;
    timetable_description?: string | null;
    timezone?: string | null;
    asset_expression?: { any?: Asset[]; all?: Asset[] } | null;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const NTH = ["", "first", "second", "third", "fourth", "fifth"];
const PRESETS: Record<string, string> = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
};

/** "a, b and c" */
export function listed(words: readonly string[], last = "and"): string {
    return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} ${last} ${words[words.length - 1]}`;
}

function ordinal(n: number): string {
    const tail = n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
    return n + tail;
}

interface Field {
    all: boolean; // written as * or ?
    set: number[]; // ascending; empty when `all`
    step: number; // written as */n or a/n over the whole: every n; else 0
    from: number; // of a step
    special: string[]; // words that are no numbers: "the last day", "the third Tuesday"
}

interface Kind {
    low: number;
    high: number;
    names?: readonly string[];
    wrap?: number; // a second word for the lowest: 7 is Sunday
}

const KINDS: Record<"second" | "minute" | "hour" | "dom" | "month" | "dow", Kind> = {
    second: { low: 0, high: 59 },
    minute: { low: 0, high: 59 },
    hour: { low: 0, high: 23 },
    dom: { low: 1, high: 31 },
    month: { low: 1, high: 12, names: MONTHS },
    dow: { low: 0, high: 6, names: DAYS, wrap: 7 },
};

function number(text: string, k: Kind): number | null {
    if (/^\d+$/.test(text)) {
        const n = Number(text);
        return n === k.wrap ? k.low : n >= k.low && n <= k.high ? n : null;
    }
    if (!/^[a-z]{3}$/i.test(text) || !k.names) return null;
    const i = k.names.findIndex((n) => n.slice(0, 3).toLowerCase() === text.toLowerCase());
    return i < 0 ? null : i + k.low;
}

function special(text: string, k: Kind): string | null {
    if (k === KINDS.dom && /^l$/i.test(text)) return "the last day";
    if (k !== KINDS.dow) return null;
    const last = text.match(/^L(\d|[a-z]{3})$/i) ?? text.match(/^(\d|[a-z]{3})L$/i);
    const day = last && number(last[1]!, k);
    if (typeof day === "number") return `the last ${DAYS[day]}`;
    const nth = text.match(/^(\d|[a-z]{3})#([1-5])$/i);
    const of = nth && number(nth[1]!, k);
    return typeof of === "number" ? `the ${NTH[Number(nth![2])]} ${DAYS[of]}` : null;
}

/** Null: not one that can be told. */
function field(text: string, k: Kind): Field | null {
    const out: Field = { all: false, set: [], step: 0, from: 0, special: [] };
    if (text === "*" || text === "?") return { ...out, all: true };
    const set = new Set<number>();
    const items = text.split(",");
    for (const item of items) {
        const word = special(item, k);
        if (word) {
            out.special.push(word);
            continue;
        }
        const m = item.match(/^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/);
        if (!m) return null;
        const step = m[3] ? Number(m[3]) : 1;
        const from = m[1] === "*" ? k.low : number(m[1]!, k);
        let to = m[2] ? number(m[2], k) : m[1] === "*" || m[3] ? k.high : from;
        if (from === null || to === null || step < 1) return null;
        const size = k.high - k.low + 1;
        if (m[2] && (to < from || (to === from && k.wrap !== undefined && m[1] !== m[2]))) to += size;
        for (let n = from; n <= to; n += step) set.add(((n - k.low) % size) + k.low);
        if (items.length === 1 && m[3] && !m[2]) {
            out.step = step;
            out.from = from;
        }
    }
    out.set = [...set].sort((a, b) => a - b);
    if (out.set.length === k.high - k.low + 1 && !out.special.length) return { ...out, set: [], all: true, step: 0 };
    return out;
}

const two = (n: number) => String(n).padStart(2, "0");

/** Runs of neighbours: [1,2,3,5] -> [[1,3],[5,5]]; over the end for days of the week, [0,1,6] -> [[6,1]]. */
function runs(set: number[], wrap = 0): [number, number][] {
    const list: [number, number][] = [];
    for (const n of set) {
        const last = list[list.length - 1];
        if (last && last[1] === n - 1) last[1] = n;
        else list.push([n, n]);
    }
    const first = list[0];
    const last = list[list.length - 1];
    if (wrap && first && last && first !== last && first[0] === 0 && last[1] === wrap - 1) {
        last[1] = first[1];
        list.shift();
    }
    return list;
}

/** "every 5 minutes", "every hour at :30", "at 09:00 and 17:00"; `at` tells whether a time of the day was named. */
function timeWords(second: Field | null, minute: Field, hour: Field): { text: string; at: boolean } | null {
    if (minute.special.length || hour.special.length) return null;
    const seconds = second && !(second.set.length === 1 && second.set[0] === 0) ? second : null;
    if (seconds) {
        if (seconds.special.length) return null;
        const each = seconds.all ? "every second" : seconds.step && seconds.from === 0 && 60 % seconds.step === 0 ? `every ${seconds.step} seconds` : null;
        if (each) return minute.all && hour.all ? { text: each, at: false } : null;
        if (seconds.set.length === 1 && minute.set.length === 1 && hour.set.length && hour.set.length <= 4)
            return { text: "at " + listed(hour.set.map((h) => `${two(h)}:${two(minute.set[0]!)}:${two(seconds.set[0]!)}`)), at: true };
        return null;
    }
    const even = minute.step > 1 && 60 % minute.step === 0 && minute.from < minute.step;
    const minutes = minute.all ? "every minute" : even ? `every ${minute.step} minutes${minute.from ? ` from :${two(minute.from)}` : ""}` : null;
    if (hour.all) {
        if (minutes) return { text: minutes, at: false };
        if (minute.set.length === 1) return { text: minute.set[0] === 0 ? "every hour" : `every hour at :${two(minute.set[0]!)}`, at: false };
        return minute.set.length <= 12 ? { text: `every hour at ${listed(minute.set.map((m) => ":" + two(m)))}`, at: false } : null;
    }
    const evenHours = hour.step > 1 && 24 % hour.step === 0 && hour.from < hour.step;
    if (evenHours && minute.set.length === 1) {
        const off = hour.from || minute.set[0];
        return { text: `every ${hour.step} hours${off ? ` from ${two(hour.from)}:${two(minute.set[0]!)}` : ""}`, at: Boolean(off) };
    }
    if (!minutes && minute.set.length * hour.set.length <= 8)
        return { text: "at " + listed(hour.set.flatMap((h) => minute.set.map((m) => `${two(h)}:${two(m)}`))), at: true };
    const spans = runs(hour.set);
    if (spans.length > 4) return null;
    if (!minutes && minute.set.length === 1) {
        const m = minute.set[0]!;
        if (spans.length > 1) return null;
        return { text: `every hour from ${two(spans[0]![0])}:${two(m)} to ${two(spans[0]![1])}:${two(m)}`, at: true };
    }
    const when = listed(spans.map(([a, b]) => `from ${two(a)}:00 to ${two(b)}:59`));
    return { text: `${minutes ?? `at ${listed(minute.set.map((m) => ":" + two(m)))}`} ${when}`, at: true };
}

function weekdays(dow: Field): string {
    const plain = dow.set.length ? runs(dow.set, 7) : [];
    const one = plain.length === 1 && plain[0]![0] === plain[0]![1];
    const words = plain.map(([a, b]) => {
        const size = ((b - a + 7) % 7) + 1;
        return size === 1 ? DAYS[a]! : size === 2 ? `${DAYS[a]} and ${DAYS[b]}` : `${DAYS[a]} to ${DAYS[b]}`;
    });
    if (one && !dow.special.length) return `every ${words[0]}`;
    return listed([...words, ...dow.special.map((s) => s)]);
}

function monthWords(month: Field): string {
    if (month.all) return "";
    const spans = runs(month.set);
    return listed(spans.flatMap(([a, b]) => (b - a > 1 ? [`${MONTHS[a - 1]} to ${MONTHS[b - 1]}`] : b > a ? [MONTHS[a - 1]!, MONTHS[b - 1]!] : [MONTHS[a - 1]!])));
}

/** "" is every day. */
function dayWords(dom: Field, month: Field, dow: Field): string | null {
    const months = monthWords(month);
    const of = !months ? " of each month" : month.step > 1 && 12 % month.step === 0 && month.from === 1 ? ` of every ${ordinal(month.step)} month` : ` of ${months}`;
    const dates = dom.all ? [] : [...runs(dom.set).map(([a, b]) => (b - a > 1 ? `${ordinal(a)} to ${ordinal(b)}` : b > a ? `${ordinal(a)} and ${ordinal(b)}` : ordinal(a)))];
    const date = dom.all ? "" : dom.step > 1 && dom.from === 1 ? `on every ${ordinal(dom.step)} day${of}` : dates.length === 1 && dom.set.length === 1 && month.set.length === 1 && !dom.special.length
        ? `on ${dom.set[0]} ${months}` : `on ${listed([...dates.map((d) => "the " + d), ...dom.special])}${of}`;
    if (dow.all) return date || (months ? `every day in ${months}` : "");
    const day = weekdays(dow);
    if (!date) {
        const nth = dow.special.length && !dow.set.length ? `on ${day}${of}` : day;
        return months && !dow.special.length ? `${day} in ${months}` : nth;
    }
    if (dow.special.length) return null; // then the date is asked for as well: no plain sentence
    return `${date} and ${day.startsWith("every ") ? day : "on " + day}`;
}

/** Null: no plain sentence. `at`: it names a time of the day, which a zone belongs to. */
export function cronWords(text: string): { text: string; at: boolean } | null {
    const parts = (PRESETS[text.trim().toLowerCase()] ?? text).trim().split(/\s+/);
    if (parts.length < 5 || parts.length > 7) return null;
    const minute = field(parts[0]!, KINDS.minute);
    const hour = field(parts[1]!, KINDS.hour);
    const dom = field(parts[2]!, KINDS.dom);
    const month = field(parts[3]!, KINDS.month);
    const dow = field(parts[4]!, KINDS.dow);
    const second = parts[5] ? field(parts[5], KINDS.second) : null;
    if (!minute || !hour || !dom || !month || !dow || (parts[5] && !second) || month.special.length) return null;
    if (parts[6] && !/^(\*|\d{4}(-\d{4})?)$/.test(parts[6])) return null;
    const time = timeWords(second, minute, hour);
    const day = dayWords(dom, month, dow);
    if (!time || day === null) return null;
    const years = parts[6] && parts[6] !== "*" ? ` in ${parts[6].replace("-", " to ")}` : "";
    if (time.text.startsWith("at ")) return { text: `${day || "every day"} ${time.text}${years}`, at: true };
    return { text: `${time.text}${day ? (day.startsWith("on ") ? " " : ", ") + day : ""}${years}`, at: time.at || day !== "" };
}

const UNITS: [number, string][] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

function spanWords(seconds: number): string {
    const parts: string[] = [];
    let left = seconds;
    for (const [size, name] of UNITS) {
        const n = size === 1 ? Number((left % 60).toFixed(6)) : Math.floor(left / size);
        left -= size === 1 ? 0 : n * size;
        if (n) parts.push(`${n} ${name}${n === 1 ? "" : "s"}`);
    }
    if (parts.length === 1 && /^1 /.test(parts[0]!)) return "every " + parts[0]!.slice(2);
    return "every " + parts.join(" ");
}

/** Python's str() of a timedelta: "0:05:00", "1 day, 2:00:00"; relativedelta's repr: "relativedelta(months=+2)". */
export function intervalWords(text: string): string | null {
    const m = text.match(/^(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)$/);
    if (m) return spanWords(Number(m[1] ?? 0) * 86400 + Number(m[2]) * 3600 + Number(m[3]) * 60 + Number(m[4]));
    const r = text.match(/^relativedelta\((.*)\)$/);
    if (!r) return null;
    const parts = [...r[1]!.matchAll(/(\w+)=\+(\d+)/g)].map(([, name, n]) => (n === "1" ? `1 ${name!.replace(/s$/, "")}` : `${n} ${name}`));
    if (!parts.length) return null;
    return "every " + (parts.length === 1 ? parts[0]!.replace(/^1 /, "") : parts.join(" "));
}

function assetNames(list: Asset[] | undefined): string[] {
    return (list ?? []).map((a) => a.asset?.name ?? "").filter(Boolean);
}

/** The whole schedule of a dag. */
export function scheduleWords(s: Schedule): string {
    const text = (s.timetable_summary ?? "").trim();
    if (!text || text === "None" || /^none$/i.test(text)) return "by hand";
    if (text === "@once") return "once";
    if (text === "@continuous") return "again as soon as a run has ended";
    if (text === "Dataset" || text === "Asset") {
        const any = assetNames(s.asset_expression?.any);
        const all = assetNames(s.asset_expression?.all);
        if (any.length) return any.length > 1 ? `when ${listed(any, "or")} has changed` : `when ${any[0]} has changed`;
        if (all.length) return all.length > 1 ? `when ${listed(all)} have changed` : `when ${all[0]} has changed`;
        return "when data has changed";
    }
    const every = intervalWords(text);
    if (every) return every;
    const words = cronWords(text);
    if (!words) return s.timetable_description?.trim() || text;
    return words.at ? `${words.text} ${s.timezone || "UTC"}` : words.text;
}
