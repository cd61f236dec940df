/** A record's way through the picture, read from the steps that `why` tells of it. Pure. */
import type { Picture } from "./shape";

export interface Traced {
    topic: string;
    partition: number;
    offset: number;
}
interface Told {
    stream: string | null;
    step: string;
    known: string;
    text: string;
}
export interface Way {
    parts: Map<string, string>; // id of what it came to -> a word for what became of it there, or ""
    lines: Map<string, number>; // "from>to" -> the how-manieth step of the way it is
}

/** "topic/0/5" of the address bar. */
export function traced(text: string): Traced | null {
    const m = /^([^/]+)\/(\d{1,9})\/(\d{1,15})$/.exec(text);
    return m && { topic: m[1]!, partition: Number(m[2]), offset: Number(m[3]) };
}

/** What a stream did with it: the last of these words among its steps. */
const ENDS = ["not read yet", "in the table", "overwritten", "not in the table", "into", "effect", "applied", "held", "no row", "filtered", "late", "duplicate", "dead letter", "dead"];
const THROUGH = ["in the table", "overwritten", "not in the table", "into", "effect"]; // it, or a row it has a part in, left the stream

export function wayOf(of: Traced, steps: readonly Told[], picture: Picture): Way {
    const way: Way = { parts: new Map(), lines: new Map() };
    const topic = `topic:${of.topic}`;
    const known = new Set(picture.parts.map((p) => p.id));
    const line = (from: string, to: string, n: number) => {
        if (picture.edges.some(([f, t]) => f === from && t === to)) way.lines.set(`${from}>${to}`, n);
    };
    const sources = picture.edges.filter(([f, t]) => t === topic && f.startsWith("source:")).map(([f]) => f);
    const fetched = steps.some((s) => s.step === "fetch" && !s.text.startsWith("none"));
    if (fetched && sources.length === 1) { // of several, the record does not say which
        way.parts.set(sources[0]!, "");
        line(sources[0]!, topic, 0);
    }
    if (known.has(topic)) way.parts.set(topic, "");
    for (const name of new Set(steps.map((s) => s.stream))) {
        const id = `stream:${name}`;
        if (name === null || !known.has(id)) continue;
        const own = steps.filter((s) => s.stream === name).map((s) => s.step);
        const end = ENDS.filter((w) => own.includes(w)).sort((a, b) => own.lastIndexOf(b) - own.lastIndexOf(a))[0] ?? "";
        way.parts.set(id, end === "in the table" ? "" : end);
        if (end !== "not read yet") line(topic, id, 1);
        if (!own.some((w) => THROUGH.includes(w))) continue;
        for (const [from, to] of picture.edges)
            if (from === id) (way.parts.set(to, end === "in the table" ? "its row is here" : ""), line(from, to, 2));
    }
    return way;
}
