/** What the API tells of the documentation, and its Markdown made fit for this page. */
export interface Head {
    name: string;
    title: string;
    about: string;
}
export interface Text {
    name: string;
    title: string;
    text: string;
}
export interface Found {
    kind: string;
    name: string;
    of?: string;
    note?: string;
}

/** Letters and digits alone: how a heading is found again, whatever signs stand in it. */
export function bare(text: string): string {
    return text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, " ").trim();
}

/** Headings one level up, outside of examples: what was below the page's own heading is so still. */
function lifted(text: string): string {
    let fenced = false;
    return text.split("\n").map((line) => {
        if (/^ {0,3}```/.test(line)) fenced = !fenced;
        return fenced ? line : line.replace(/^#(?=#+ )/, "");
    }).join("\n");
}

/** Without its heading, which is the page's; other pages named in it become links to them. */
export function body(text: string, pages: ReadonlySet<string>): string {
    const link = (whole: string, name: string, made: string) => (pages.has(name) ? made : whole);
    return lifted(text.replace(/^# .*\n/, ""))
        .replaceAll(/\]\((?:docs\/)?([\w-]+)\.md(?:#[^)]*)?\)/g, (whole, name: string) => link(whole, name, `](/docs/${name})`))
        .replaceAll(/(?<!\[)`docs\/([\w-]+)\.md`/g, (whole, name: string) => link(whole, name, `[\`docs/${name}.md\`](/docs/${name})`));
}

/** The headings below the page's own. */
export function headings(text: string): string[] {
    const out: string[] = [];
    let fenced = false;
    for (const line of text.split("\n")) {
        if (/^ {0,3}```/.test(line)) fenced = !fenced;
        const head = fenced ? null : /^## (.*?)\s*$/.exec(line);
        if (head) out.push(head[1]!);
    }
    return out;
}
