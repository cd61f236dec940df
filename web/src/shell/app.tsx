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
import { Frame } from "./frame";
import { Still } from "./still";

/** The page of a path and what is left of the path for it. */
export function pageAt(of: string): { row: PageRow; rest: string[] } | undefined {
    const names = parts(of);
    const row = names.length === 0 ? PAGES.find((r) => r.path === "/") : PAGES.find((r) => r.path === at(names[0]!));
    return row && { row, rest: names.slice(1) };
}

export function App() {
    const who = session.value;
    if (who === undefined) return <Still here={pageAt(path.value)?.row.path ?? ""}><Loading what="the server" /></Still>;
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

function Body() {
    const found = pageAt(path.value);
    if (!found) return <NotFound />;
    if (!may(found.row.role)) return <Page title={found.row.title}><Forbidden role={found.row.role!} /></Page>;
    return <Chunk key={found.row.path} {...found} />;
}

const here = new Map<PageRow, ComponentType<PageArgs>>(); // the pages whose program has come

/** Brings a page's program; a page that has come is drawn at once. */
export async function bring(row: PageRow): Promise<ComponentType<PageArgs>> {
    const part = here.get(row) ?? (await row.load()).default;
    here.set(row, part);
    return part;
}

function Chunk({ row, rest }: { row: PageRow; rest: string[] }) {
    const [Part, setPart] = useState<ComponentType<PageArgs> | undefined>(() => here.get(row));
    const [failed, setFailed] = useState<string>();
    const [broken, mend] = useErrorBoundary();
    useEffect(() => {
        if (Part) return undefined;
        let gone = false;
        bring(row).then((part) => !gone && setPart(() => part), (e: Error) => !gone && setFailed(e.message));
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
