/** An import error's story in its parts: what, the file's line, why, what to do. Pure. */
export interface Story {
    what: string;
    file: string;
    line: number | null;
    column: number | null;
    rest: string[];
}

export function storyOf(text: string, file: string): Story {
    const lines = text.split("\n").map((l) => l.trim()).filter(Boolean);
    const out: Story = { what: (lines[0] ?? "").replace(/^error:\s*/, ""), file, line: null, column: null, rest: [] };
    for (const l of lines.slice(1)) {
        const m = l.match(/^at (.+?):(\d+)(?::(\d+))?$/);
        if (m && out.line === null) {
            out.file = m[1]!;
            out.line = Number(m[2]);
            out.column = m[3] ? Number(m[3]) : null;
        } else out.rest.push(l);
    }
    return out;
}
