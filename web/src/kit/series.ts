/** What a number was, step by step; and what comes, put behind it. Pure. */
export interface Series {
    part: string;
    metric: string;
    step_ms: number;
    from: string;
    values: (number | null)[];
}

/** The mean of a minute that is under way: what GET told of it counts for the samples that were in it by then. */
interface Minute {
    at: number;
    sum: number;
    count: number;
}
export interface Grown {
    of: Series;
    start: number; // of the first value
    minute: Minute | null; // of a series of minutes
}

export function grown(of: Series, now: number, sampleMs = 2000): Grown {
    const start = Date.parse(of.from);
    if (of.step_ms <= sampleMs) return { of, start, minute: null };
    const at = start + (of.values.length - 1) * of.step_ms;
    const last = of.values.at(-1) ?? null;
    const count = last === null ? 0 : Math.max(1, Math.min(of.step_ms, now - at) / sampleMs);
    return { of, start, minute: { at, sum: (last ?? 0) * count, count } };
}

/** `value` at `time` stands in its place, with gaps before it, and as many as there were are kept. */
function put(g: Grown, time: number, value: number | null, most: number): Grown {
    const step = g.of.step_ms;
    const place = Math.floor((time - g.start) / step);
    if (place < 0) return g;
    const values = [...g.of.values];
    while (values.length < place) values.push(null);
    values[place] = value;
    const over = Math.max(0, values.length - most);
    const start = g.start + over * step;
    return { ...g, start, of: { ...g.of, from: new Date(start).toISOString(), values: values.slice(over) } };
}

/** What came of the same number, in samples. */
export function extend(g: Grown, news: Series, most: number): Grown {
    const from = Date.parse(news.from);
    return news.values.reduce<Grown>((now, value, i) => {
        const time = from + i * news.step_ms;
        if (!now.minute) return put(now, time, value, most);
        const at = Math.floor(time / now.of.step_ms) * now.of.step_ms;
        if (value === null || at < now.minute.at) return now;
        const m = at === now.minute.at ? { at, sum: now.minute.sum + value, count: now.minute.count + 1 } : { at, sum: value, count: 1 };
        return { ...put(now, at, m.sum / m.count, most), minute: m };
    }, g);
}
