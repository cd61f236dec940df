/** Markdown as elements: headings, paragraphs, lists, code, tables, quotes, links, emphasis. What is written in it can
 * become text and these elements alone: no HTML passes, and links lead to http, https, mail or into the console. */
import type { ComponentChildren, VNode } from "preact";

export function safeHref(to: string): string | null {
    const t = to.trim();
    if (/^(https?:|mailto:)/i.test(t)) return t;
    return /^[/#?.]/.test(t) && !t.startsWith("//") && !t.includes("\\") ? t : null;
}

const INLINE = /(`+)([^`]|[^`].*?[^`])\1(?!`)|\*\*(.+?)\*\*|__(.+?)__|\*([^*\s](?:.*?[^*\s])?)\*|(?<![\w])_([^_\s](?:.*?[^_\s])?)_(?![\w])|~~(.+?)~~|\[([^\]]*)\]\(([^()\s]*(?:\([^()\s]*\))?[^()\s]*)(?:\s+"[^"]*")?\)|<(https?:\/\/[^>\s]+)>|(https?:\/\/[^\s<>)\]]+[^\s<>)\].,;:!?'"])|\\([\\`*_{}[\]()#+\-.!|>~])/;

export function inline(text: string, depth = 0): ComponentChildren[] {
    const out: ComponentChildren[] = [];
    let rest = text;
    while (rest && depth < 8) {
        const m = INLINE.exec(rest);
        if (!m) break;
        if (m.index) out.push(rest.slice(0, m.index));
        const [whole, , code, b1, b2, i1, i2, gone, name, to, auto, bare, sign] = m;
        if (sign !== undefined) out.push(sign);
        else if (code !== undefined) out.push(<code>{code.trim() || code}</code>);
        else if (b1 ?? b2) out.push(<strong>{inline((b1 ?? b2)!, depth + 1)}</strong>);
        else if (i1 ?? i2) out.push(<em>{inline((i1 ?? i2)!, depth + 1)}</em>);
        else if (gone) out.push(<del>{inline(gone, depth + 1)}</del>);
        else {
            const href = safeHref(to ?? auto ?? bare ?? "");
            const inner = name !== undefined ? inline(name, depth + 1) : [auto ?? bare];
            out.push(href ? <a href={href} {...(/^https?:/i.test(href) && { rel: "noreferrer", target: "_blank" })}>{inner}</a> : <>{inner}</>);
        }
        rest = rest.slice(m.index + whole.length);
    }
    if (rest) out.push(rest);
    return out;
}

const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+-]*)/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const cells = (line: string) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((c) => c.trim().replaceAll("\\|", "|"));

function list(lines: string[], depth: number): VNode {
    const first = ITEM.exec(lines[0]!)!;
    const base = first[1]!.length;
    const items: string[][] = [];
    for (const line of lines) {
        const m = ITEM.exec(line);
        if (m && m[1]!.length <= base + 1) items.push([m[3]!]);
        else items.at(-1)!.push(line.replace(new RegExp(`^\\s{0,${base + 2}}`), ""));
    }
    const body = items.map((item, i) => {
        const task = /^\[([ xX])\]\s+/.exec(item[0]!);
        if (task) item[0] = item[0]!.slice(task[0].length);
        const inner = item.length === 1 ? inline(item[0]!) : blocks(item, depth + 1);
        return <li key={i}>{task && <span class="task">{task[1] === " " ? "☐ " : "☑ "}</span>}{inner}</li>;
    });
    return /\d/.test(first[2]!) ? <ol start={parseInt(first[2]!, 10)}>{body}</ol> : <ul>{body}</ul>;
}

function blocks(lines: string[], depth: number): VNode[] {
    const out: VNode[] = [];
    let i = 0;
    const take = (while_: (line: string) => boolean) => {
        const from = i;
        while (i < lines.length && while_(lines[i]!)) i++;
        return lines.slice(from, i);
    };
    while (i < lines.length) {
        const line = lines[i]!;
        const fence = FENCE.exec(line);
        const head = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line);
        if (!line.trim()) i++;
        else if (depth === 0 && /^ {4}/.test(line)) {
            const body = take((l) => /^ {4}/.test(l) || !l.trim());
            out.push(<pre tabIndex={0}><code>{body.map((l) => l.slice(4)).join("\n").trimEnd()}</code></pre>);
        } else if (fence) {
            i++;
            const body = take((l) => !l.trim().startsWith(fence[1]!));
            i++;
            out.push(<pre tabIndex={0}><code>{body.join("\n")}</code></pre>);
        } else if (head) {
            i++;
            const H = `h${Math.min(6, head[1]!.length + 1)}` as "h2"; // the page has its own h1
            out.push(<H>{inline(head[2]!)}</H>);
        } else if (/^ {0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) (i++, out.push(<hr />));
        else if (/^ {0,3}>/.test(line) && depth < 8) out.push(<blockquote>{blocks(take((l) => /^ {0,3}>/.test(l)).map((l) => l.replace(/^ {0,3}> ?/, "")), depth + 1)}</blockquote>);
        else if (ITEM.test(line) && depth < 8) out.push(list(take((l) => ITEM.test(l) || (/^\s+\S/.test(l) && !!l.trim())), depth));
        else if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[i + 1] ?? "") && lines[i + 1]!.includes("-")) {
            const names = cells(line);
            const sides = cells(lines[i + 1]!).map((c) => c.endsWith(":") && !c.startsWith(":"));
            i += 2;
            const rows = take((l) => l.includes("|") && !!l.trim()).map(cells);
            out.push(
                <div class="scroll-x" tabIndex={0} role="group" aria-label="Table">
                    <table>
                        <thead><tr>{names.map((n, c) => <th key={c} class={sides[c] ? "right" : undefined}>{inline(n)}</th>)}</tr></thead>
                        <tbody>{rows.map((r, n) => <tr key={n}>{names.map((_, c) => <td key={c} class={sides[c] ? "right" : undefined}>{inline(r[c] ?? "")}</td>)}</tr>)}</tbody>
                    </table>
                </div>,
            );
        } else {
            const first = i;
            const text = take((l) => i === first || (!!l.trim() && !FENCE.test(l) && !/^ {0,3}(#{1,6}\s|>)/.test(l) && !ITEM.test(l)));
            out.push(<p>{text.map((l, n) => <>{inline(l.trim())}{n < text.length - 1 && (/ {2}$|\\$/.test(l) ? <br /> : " ")}</>)}</p>);
        }
    }
    return out;
}

export function Markdown({ text }: { text: string }) {
    return <div class="markdown">{blocks(text.slice(0, 1_000_000).replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n"), 0)}</div>;
}
