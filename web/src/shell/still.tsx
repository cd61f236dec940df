/** The first picture: what stands in the documents before any program has come. The build draws it (build.mjs), so
 * nothing here may need a browser; the program takes its elements over, and shows it while the server does not answer. */
import type { ComponentChildren } from "preact";
import { PAGES, type PageRow } from "../pages";

export function Mark() {
    return (
        <svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
            <path d="M3 7c3 0 3 2 6 2s3-2 6-2 3 2 6 2M3 12c3 0 3 2 6 2s3-2 6-2 3 2 6 2M3 17c3 0 3 2 6 2s3-2 6-2 3 2 6 2" />
        </svg>
    );
}

/** The navigation's links; `here` is the path on screen. */
export function Links({ rows, here }: { rows: readonly PageRow[]; here: string }) {
    return (
        <>
            {rows.map((r) => {
                const current = r.path === "/" ? here === "/" : here === r.path || here.startsWith(r.path + "/");
                return <a key={r.path} href={r.path} aria-current={current ? "page" : undefined}><span>{r.title}</span><span class="nav-key" aria-hidden="true">{r.key}</span></a>;
            })}
        </>
    );
}

/** The frame of all pages for who is logged in; of `here` the title alone. */
export function Still({ here, children }: { here: string; children?: ComponentChildren }) {
    const page = PAGES.find((r) => r.path === here);
    return (
        <div class="shell">
            <header class="top"><a class="brand" href="/"><Mark /><span>Sluice</span></a></header>
            <nav class="nav" aria-label="Pages"><Links rows={PAGES.filter((r) => !r.role)} here={here} /></nav>
            <main class="main">
                <div class="page">
                    {page && <header class="page-head"><div class="page-name">{here !== "/" && <nav class="crumbs" aria-label="Way back"><a href="/">Overview</a></nav>}<h1><bdi>{page.title}</bdi></h1></div></header>}
                    {children}
                </div>
            </main>
        </div>
    );
}

/** Where nobody is logged in: the form's place. */
export function StillLogin() {
    return (
        <main class="alone">
            <div class="login login-still"><h1>Sluice</h1></div>
        </main>
    );
}
