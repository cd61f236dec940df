import assert from "node:assert/strict";
import test from "node:test";
import { extend, grown, type Series } from "./series";

const series = (step_ms: number, from: number, ...values: (number | null)[]): Series => ({ part: "p", metric: "m", step_ms, from: new Date(from).toISOString(), values });

test("samples stand behind those that were told, each at its time", () => {
    let g = grown(series(2000, 10_000, 1, 2, 3), 15_000);
    g = extend(g, series(2000, 14_000, 3, 4), 9); // told twice: once
    assert.deepEqual(g.of.values, [1, 2, 3, 4]);
    g = extend(g, series(2000, 20_000, 6), 9);
    assert.deepEqual(g.of.values, [1, 2, 3, 4, null, 6]);
    g = extend(g, series(2000, 22_000, null, 8), 4);
    assert.deepEqual([g.of.values, g.start, g.of.from], [[null, 6, null, 8], 18_000, "1970-01-01T00:00:18.000Z"]);
    assert.deepEqual(extend(g, series(2000, 2000, 9), 4), g);
    assert.deepEqual(extend(grown(series(2000, 10_000), 10_000), series(2000, 10_000, 5), 9).of.values, [5]);
});

test("minutes are the means of their samples", () => {
    let g = grown(series(60_000, 60_000, 4, 10), 140_000); // of the second minute 20 s are over: ten samples
    g = extend(g, series(2000, 140_000, 21), 9);
    assert.deepEqual(g.of.values, [4, 11]);
    g = extend(g, series(2000, 178_000, null, 1), 9);
    g = extend(g, series(2000, 182_000, 3), 9);
    assert.deepEqual(g.of.values, [4, 11, 2]);
    assert.deepEqual(extend(g, series(2000, 100_000, 9), 9), g);
});
