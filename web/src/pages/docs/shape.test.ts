import assert from "node:assert/strict";
import test from "node:test";
import { bare, body, headings } from "./shape";

test("other pages become links, what is no page stays", () => {
    const pages = new Set(["roles", "flow"]);
    const rows: [string, string][] = [
        ["# Title\nText\n## A\n```\n## b\n```\n### C", "Text\n# A\n```\n## b\n```\n## C"],
        ["see [roles.md](roles.md)", "see [roles.md](/docs/roles)"],
        ["see [the flow](flow.md#late-rows).", "see [the flow](/docs/flow)."],
        ["`docs/roles.md` and `docs/nothing.md`", "[`docs/roles.md`](/docs/roles) and `docs/nothing.md`"],
        ["[why](decisions/0001-x.md)", "[why](decisions/0001-x.md)"],
    ];
    for (const [text, want] of rows) assert.equal(body(text, pages), want, text);
});

test("headings are found again whatever signs they have", () => {
    assert.deepEqual(headings("# A\n## `B` *c*\n```\n## no\n```\n### D\n## E\n"), ["`B` *c*", "E"]);
    assert.equal(bare("`B` *c*: d"), bare("B c: d"));
});
