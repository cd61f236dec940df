/** One page: its text, its headings at the side, and the paragraph that was looked for. */
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { Await, Command, Markdown, Page, at, href, inline, param, useGet } from "../../kit";
import { bare, body, headings, type Head, type Text } from "./shape";

const HEADS = "h2, h3, h4, h5, h6";

/** The heading of that name, and below it what has all the words. */
function find(root: HTMLElement, heading: string, words: string[]): { head: Element | undefined; piece: Element | undefined } {
    const head = heading ? [...root.querySelectorAll(HEADS)].find((h) => bare(h.textContent ?? "") === bare(heading)) : undefined;
    if (!words.length) return { head, piece: undefined };
    const has = (e: Element) => words.every((w) => (e.textContent ?? "").toLowerCase().includes(w));
    let inside = !head;
    for (const e of root.querySelectorAll(`${HEADS}, p, li, tr, pre`)) {
        if (head && e.matches(HEADS)) inside = e === head || (inside && e.tagName > head.tagName);
        else if (inside && has(e)) return { head, piece: e };
    }
    return { head, piece: undefined };
}

export function One({ name }: { name: string }) {
    const got = useGet<Text>(`docs/${encodeURIComponent(name)}`);
    const all = useGet<Head[]>("docs");
    const pages = useMemo(() => new Set((all.value ?? []).map((p) => p.name)), [all.value]);
    return (
        <Page title={got.value?.title ?? name} back={{ href: "/docs", title: "Docs" }} acts={<Command text={`sluice help docs/${name}`} quiet />}>
            <Await of={got} what="the page" lines={12}>{(doc) => <Body of={doc} pages={pages} />}</Await>
        </Page>
    );
}

function Body({ of: doc, pages }: { of: Text; pages: ReadonlySet<string> }) {
    const box = useRef<HTMLDivElement>(null);
    const heading = param("at");
    const asked = param("find");
    const text = useMemo(() => body(doc.text, pages), [doc, pages]);
    const shown = useMemo(() => <Markdown text={text} />, [text]); // a long page is not made again for another paragraph of it
    const heads = useMemo(() => headings(doc.text), [doc]);
    useLayoutEffect(() => {
        const { head, piece } = find(box.current!, heading, asked.toLowerCase().split(/\s+/).filter(Boolean));
        piece?.classList.add("docs-found");
        (piece ?? head)?.scrollIntoView({ block: piece ? "center" : "start" });
        return () => piece?.classList.remove("docs-found");
    }, [heading, asked, text]);
    return (
        <div class="docs-page">
            {heads.length > 1 && (
                <nav class="docs-heads" aria-label="On this page">
                    {heads.map((h) => <a key={h} href={href(at("docs", doc.name), { at: h })} aria-current={bare(h) === bare(heading) ? "location" : undefined}>{inline(h.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"))}</a>)}
                </nav>
            )}
            <div class="docs-text" ref={box}>{shown}</div>
        </div>
    );
}
