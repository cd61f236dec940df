/** Navigation at the side (over the page on a phone), and the line at the top. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api, may, session } from "../kit/api";
import { Icon } from "../kit/icon";
import { Kbd, sheet, useKeys } from "../kit/keys";
import { link, retryNow } from "../kit/live";
import { palette, useActs } from "../kit/palette";
import { go, path } from "../kit/router";
import { Sign } from "../kit/states";
import { theme, type Theme } from "../kit/theme";
import { now } from "../kit/time";
import { clock, duration } from "../kit/format";
import { toastProblem } from "../kit/toast";
import { PAGES } from "../pages";
import { Links, Mark } from "./still";

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const THEME_WORD: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };

export async function logout(): Promise<void> {
    const got = await api.post("logout");
    if (got.ok || got.problem.status === 401) session.value = null;
    else toastProblem(got.problem);
}

export function Frame({ children }: { children: ComponentChildren }) {
    const [drawer, setDrawer] = useState(false);
    const here = path.value;
    const rows = PAGES.filter((r) => may(r.role));
    const who = session.value!;
    useEffect(() => setDrawer(false), [here]);
    useKeys("Everywhere", [
        { key: "mod+k", what: "find anything", run: () => (palette.value = !palette.value), typing: true },
        { key: "?", what: "show all keys", run: () => (sheet.value = true) },
        ...(drawer ? [{ key: "Escape", what: "", run: () => setDrawer(false) }] : []),
    ]);
    useKeys("Go to", rows.map((r) => ({ key: `g ${r.key}`, what: r.title, run: () => go(r.path) })));
    useActs([
        ...rows.map((r) => ({ title: r.title, kind: "page", href: r.path, key: `g ${r.key}` })),
        { title: "Show all keys", kind: "action", key: "?", run: () => (sheet.value = true) },
        { title: `Colours: ${THEME_WORD[NEXT[theme.value]]}`, kind: "action", run: () => (theme.value = NEXT[theme.peek()]) },
        { title: "Log out", kind: "action", run: () => void logout() },
    ]);
    return (
        <div class="shell">
            <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById("main")?.focus())}>To the content</a>
            <header class="top">
                <button type="button" class="button button-bare top-menu" aria-label="Navigation" aria-expanded={drawer} onClick={() => setDrawer(!drawer)}><Icon name="menu" /></button>
                <a class="brand" href="/"><Mark /><span>Sluice</span></a>
                {who.project && <bdi class="top-project quiet" title={who.project}>{who.project}</bdi>}
                <button type="button" class="top-find" onClick={() => (palette.value = true)}><Icon name="search" /><span class="top-words">Find anything</span><Kbd of="mod+k" beside /></button>
                <Connection />
                <button type="button" class="button button-bare" onClick={() => (theme.value = NEXT[theme.value])} title={`Colours: ${THEME_WORD[theme.value]}`} aria-label={`Colours: ${THEME_WORD[theme.value]}. Change`}><Icon name={theme.value === "light" ? "sun" : theme.value === "dark" ? "moon" : "half"} /></button>
                <Who />
            </header>
            <nav class={`nav${drawer ? " is-open" : ""}`} aria-label="Pages">
                <Links rows={rows} here={here} />
                <p class="nav-foot quiet">Sluice {who.version}</p>
            </nav>
            {drawer && <div class="shade" onClick={() => setDrawer(false)} />}
            <main class="main" id="main" tabIndex={-1}>
                <Lost />
                {who.well_known && <Nudge />}
                {children}
            </main>
        </div>
    );
}

function Who() {
    const who = session.value!;
    const [open, setOpen] = useState(false);
    useEffect(() => {
        if (!open) return undefined;
        const away = (e: Event) => !(e.target as Element).closest?.(".who") && setOpen(false);
        document.addEventListener("mousedown", away);
        return () => document.removeEventListener("mousedown", away);
    }, [open]);
    return (
        <div class="who" onKeyDown={(e) => e.key === "Escape" && open && (e.preventDefault(), setOpen(false))}>
            <button type="button" class="button button-bare" aria-expanded={open} aria-label={`Logged in as ${who.name}, role ${who.role}`} onClick={() => setOpen(!open)}><bdi>{who.name}</bdi><Icon name="down" /></button>
            {open && (
                <div class="who-box">
                    <p><bdi>{who.name}</bdi><span class="quiet"> {who.role}</span></p>
                    <a class="button" href="/system?view=users" onClick={() => setOpen(false)}>Your password</a>
                    <button type="button" class="button" onClick={() => void logout()}>Log out</button>
                </div>
            )}
        </div>
    );
}

/** Whether live numbers are live. Nothing is said while all is well but a quiet sign. */
function Connection() {
    const l = link.value;
    const [word, tone] = ({ open: ["live", "good"], opening: ["connecting", "busy"], idle: ["live", "off"], lost: ["not connected", "bad"] } as const)[l.state];
    if (l.state === "idle") return <span class="top-link" />;
    return <span class="top-link" role="status" title={l.state === "open" ? "Numbers come as they change" : undefined}><Sign tone={tone} /><span class="top-word">{word}</span></span>;
}

function Lost() {
    const l = link.value;
    if (l.state !== "lost") return null;
    const left = Math.max(0, l.retry - now.value);
    return (
        <div class="note note-bad" role="alert">
            <Sign tone="bad" />
            <span>Not connected since <b class="num">{clock(l.since)}</b> ({duration(Math.max(0, Math.floor((now.value - l.since) / 1000) * 1000))}). The numbers below are from then. {left > 1000 ? `Next try in ${Math.round(left / 1000)} s.` : "Trying."}</span>
            <button type="button" class="button" onClick={retryNow}>Try now</button>
        </div>
    );
}

function Nudge() {
    const [gone, setGone] = useState(sessionStorage.getItem("sluice.nudge") === "later");
    if (gone) return null;
    const later = () => (sessionStorage.setItem("sluice.nudge", "later"), setGone(true));
    return (
        <div class="note">
            <Sign tone="warn" />
            <span>You came in with the password that every tutorial knows. It is good on this machine alone; choose your own.</span>
            <a class="button" href="/system?view=users">Change it</a>
            <button type="button" class="button" onClick={later}>Later</button>
        </div>
    );
}
