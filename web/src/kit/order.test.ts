import assert from "node:assert/strict";
import test from "node:test";
import { byName } from "./order";

const sorted = (names: string[]) => [...names].sort(byName(names));

test("names stand in the order of people: numbers by their size, large and small letters alike", () => {
    assert.deepEqual(sorted(["t10", "t2", "T1", "a", "t", "t2b", "t2a", ""]), ["", "a", "t", "T1", "t2", "t2a", "t2b", "t10"]);
    assert.deepEqual(sorted(["10", "9", "9a", "1000"]), ["9", "9a", "10", "1000"]);
    assert.deepEqual(sorted(["v1.10.2", "v1.9.12", "v1.9.2"]), ["v1.9.2", "v1.9.12", "v1.10.2"]);
});

test("names beyond ASCII stand as their language has them", () => {
    assert.deepEqual(sorted(["zebra", "öl", "Oma", "päx", "pad"]), ["öl", "Oma", "pad", "päx", "zebra"]);
});

test("plain names stand as a collator has them, but for signs", () => {
    const names = Array.from({ length: 300 }, (_, i) => `${"abcXYZ"[i % 6]}${(i * 7919) % 113}${"mnO"[i % 3]}${i}`);
    assert.deepEqual(sorted(names), [...names].sort(new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare));
});
