/** All pages; or, of some words, the sections that have them. */
import { useRef } from "preact/hooks";
import { Await, Command, Empty, Icon, Page, at, href, param, plural, setQuery, useGet, useKeys, useSettled, useSteps } from "../../kit";
import type { Found, Head } from "./shape";

const LETTERS = 3; // from how many on the text is looked through
const MOST = 40; // sections at once

export function List() {
    const asked = param("q");
    const [typed, type] = useSettled("q");
    const field = useRef<HTMLInputElement>(null);
    const found = useRef<HTMLDivElement>(null);
    useKeys("Docs", [{ key: "/", what: "search", run: () => field.current?.focus() }]);
    useSteps("Pages", found, ".docs-list a");
    return (
        <Page title="Docs" answer="How Sluice works, as of this version." acts={<Command text="sluice help docs" quiet />}>
            <label class="filter docs-ask">
                <Icon name="search" />
                <span class="hidden">Search the documentation</span>
                <input ref={field} type="search" class="input" placeholder="Search the documentation" value={typed} spellcheck={false} onInput={(e) => type(e.currentTarget.value)}
                    onKeyDown={(e) => e.key === "Escape" && (e.preventDefault(), typed ? type("") : e.currentTarget.blur())} />
                {!typed && <kbd aria-hidden="true">/</kbd>}
            </label>
            <div ref={found}>{asked.trim().length < LETTERS ? <Pages /> : <Sections asked={asked.trim()} />}</div>
        </Page>
    );
}

function Pages() {
    const got = useGet<Head[]>("docs");
    return (
        <Await of={got} what="the pages">
            {(pages) => (
                <ul class="docs-list">
                    {pages.map((p) => <li key={p.name}><a href={at("docs", p.name)}>{p.title}</a><p class="quiet">{p.about}</p></li>)}
                </ul>
            )}
        </Await>
    );
}

function Sections({ asked }: { asked: string }) {
    const got = useGet<{ results: Found[] }>("search", { q: asked, kind: "docs", limit: MOST });
    return (
        <Await of={got} what="what the pages say">
            {({ results }) => {
                const found = results.filter((r) => r.of);
                if (!found.length) return <Empty title={`No paragraph has all of “${asked}”.`} action={<button type="button" class="button" onClick={() => setQuery({ q: null })}>Show all pages</button>}>Fewer words find more.</Empty>;
                return (
                    <>
                        <p class="quiet" role="status">{found.length === MOST ? `The ${MOST} that fit best` : plural(found.length, "section")}</p>
                        <ul class="docs-list">
                            {found.map((f) => (
                                <li key={`${f.of} ${f.name}`}><a href={href(at("docs", f.of!), { at: f.name, find: asked })}>{f.name}</a> <span class="quiet">{f.of}</span><p class="quiet">{f.note}</p></li>
                            ))}
                        </ul>
                    </>
                );
            }}
        </Await>
    );
}
