/** The frame of all pages: navigation, who is logged in, how the connection is; and the page of the path inside. */
import type { ComponentType } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";
import { may, session } from "../kit/api";
import { KeySheet } from "../kit/keys";
import { Page, type PageArgs } from "../kit/page";
import { Palette } from "../kit/palette";
import { at, parts, path } from "../kit/router";
import { Empty, Failed, Forbidden, Loading } from "../kit/states";
import { Toasts } from "../kit/toast";
import { PAGES, type PageRow } from "../pages";
import { Login } from "./login";
import { Frame, Mark } from "./frame";

/** The page of a path and what is left of the path for it. */
export function pageAt(of: string): { row: PageRow; rest: string[] } | undefined {
    const names = parts(of);
    const row = names.length === 0 ? PAGES.find((r) => r.path === "/") : PAGES.find((r) => r.path === at(names[0]!));
    return row && { row, rest: names.slice(1) };
}

const KEY = "sluice.in";

/** Whether this browser was logged in when it was last here: a guess for the first picture, not a right. */
function wasIn(): boolean {
    try {
        return localStorage.getItem(KEY) === "yes";
    } catch {
        return false;
    }
}

function noteIn(is: boolean): void {
    try {
        localStorage.setItem(KEY, is ? "yes" : "no");
    } catch {
        return; // a browser that keeps nothing begins with an empty page
    }
}

export function App() {
    const who = session.value;
    useEffect(() => {
        if (who !== undefined) noteIn(who !== null);
    }, [who === undefined, who === null]);
    if (who === undefined) return <Waiting />;
    if (who === null) return <><Login /><Toasts /></>;
    return (
        <>
            <Frame><Body /></Frame>
            <Palette />
            <KeySheet />
            <Toasts />
        </>
    );
}

/** Before the first answer: the frame, where it was there the last time; nothing for a moment elsewhere, then the word. */
function Waiting() {
    if (!wasIn()) return <main class="alone"><Loading lines={0} what="the server" /></main>;
    return (
        <div class="shell">
            <header class="top"><a class="brand" href="/"><Mark /><span>Sluice</span></a></header>
            <div class="nav" />
            <main class="main"><Loading what="the server" /></main>
        </div>
    );
}

function Body() {
    const found = pageAt(path.value);
    if (!found) return <NotFound />;
    if (!may(found.row.role)) return <Page title={found.row.title}><Forbidden role={found.row.role!} /></Page>;
    return <Chunk key={found.row.path} {...found} />;
}

function Chunk({ row, rest }: { row: PageRow; rest: string[] }) {
    const [Part, setPart] = useState<ComponentType<PageArgs>>();
    const [failed, setFailed] = useState<string>();
    const [broken, mend] = useErrorBoundary();
    useEffect(() => {
        let gone = false;
        row.load().then((m) => !gone && setPart(() => m.default), (e: Error) => !gone && setFailed(e.message));
        return () => void (gone = true);
    }, [row]);
    if (broken) {
        const hint = "What the page was shown may be in a form that it does not know. The other pages go on.";
        return <Page title={row.title}><Failed problem={{ status: 0, code: "ERR_PAGE", what: "This page met a mistake of its own and stopped.", why: String((broken as Error)?.message ?? broken), hint }} retry={mend} /></Page>;
    }
    if (failed) return <Page title={row.title}><Failed problem={{ status: 0, code: "ERR_UNREACHABLE", what: "This page's program did not come.", why: failed, hint: "The server may be away, or another version since this tab was opened." }} retry={() => window.location.reload()} /></Page>;
    return Part ? <Part rest={rest} /> : <Page title={row.title}><Loading what="the page" /></Page>;
}

function NotFound() {
    return (
        <Page title="Not found">
            <Empty title="There is no page at this address." action={<a class="button" href="/">To the overview</a>}><code>{path.value}</code></Empty>
        </Page>
    );
}
