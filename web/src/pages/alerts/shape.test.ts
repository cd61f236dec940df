import assert from "node:assert/strict";
import test from "node:test";
import { figure, inWords, kindOf } from "./shape";

test("figures have their units", () => {
    assert.equal(figure(null, "hours"), "without end");
    assert.equal(figure(100000, "records"), "100,000 records");
    assert.equal(figure(0.123456, ""), "0.1235");
});

test("a rule is said in words", () => {
    assert.equal(inWords({ watch: "lag", of: "load", above: 5, for: 0, unit: "records" }), "lag of load above 5 records");
    assert.equal(inWords({ watch: "disk_full", of: "", below: 24, for: 600000, unit: "hours" }), "disk full below 24 hours for 10 m");
    assert.equal(inWords({ watch: "sql", of: "SELECT 1", above: 1, for: 0, unit: "" }), "a query above 1");
});

test("a receiver is of one kind", () => {
    assert.equal(kindOf({ name: "a", mail: "x", origin: "console" }), "mail");
    assert.equal(kindOf({ name: "a", slack: "x", origin: "console" }), "slack");
});
