/** The address bar holds the state: path and query, as signals. A plain <a href="/topics/x"> moves without a load. */
import { computed, signal } from "@preact/signals";

export type Query = Record<string, string | number | boolean | null | undefined>;

const here = signal(window.location.pathname + window.location.search);
export const path = computed(() => here.value.split("?")[0] ?? "/");
export const query = computed(() => new URLSearchParams(here.value.split("?")[1] ?? ""));

/** "/topics" + {q: "a b"} -> "/topics?q=a+b"; what is empty is left out. */
export function href(to: string, values: Query = {}): string {
    const q = new URLSearchParams();
    for (const [k, v] of Object.entries(values)) if (v !== null && v !== undefined && v !== "" && v !== false) q.set(k, String(v));
    const text = q.toString();
    return text ? `${to}?${text}` : to;
}

/** A path out of parts, each escaped: at("topics", name, "messages"). */
export function at(...parts: (string | number)[]): string {
    return "/" + parts.map((p) => encodeURIComponent(p)).join("/");
}

export function go(to: string, how: { replace?: boolean } = {}): void {
    if (to === here.peek()) return;
    const before = path.peek();
    if (how.replace) history.replaceState(null, "", to);
    else history.pushState(null, "", to);
    here.value = window.location.pathname + window.location.search;
    if (path.peek() !== before) window.scrollTo(0, 0);
}

/** Changes parts of the query and leaves the rest; null takes one out. Written over the present entry of the
 * history, unless it is a step that "back" should undo. */
export function setQuery(values: Query, how: { step?: boolean } = {}): void {
    const q = new URLSearchParams(query.peek());
    for (const [k, v] of Object.entries(values)) {
        if (v === null || v === undefined || v === "" || v === false) q.delete(k);
        else q.set(k, String(v));
    }
    const text = q.toString();
    go(text ? `${path.peek()}?${text}` : path.peek(), { replace: !how.step });
}

/** A value of the query; subscribes the component that reads it. */
export function param(name: string, fallback = ""): string {
    return query.value.get(name) ?? fallback;
}

/** The path's parts, each unescaped; what can not be unescaped stays as it is. */
export function parts(of: string): string[] {
    return of.split("/").filter(Boolean).map((p) => {
        try {
            return decodeURIComponent(p);
        } catch {
            return p;
        }
    });
}

/** Clicks on links of ours move within the page; new tabs, downloads and other hosts are the browser's. */
export function startRouter(): void {
    window.addEventListener("popstate", () => (here.value = window.location.pathname + window.location.search));
    document.addEventListener("click", (e) => {
        if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
        const link = (e.target as Element | null)?.closest?.("a[href]");
        if (!link || link.hasAttribute("download") || (link.getAttribute("target") ?? "_self") !== "_self") return;
        const url = new URL((link as HTMLAnchorElement | SVGAElement).getAttribute("href") ?? "", window.location.href);
        if (url.origin !== window.location.origin || url.pathname.startsWith("/api/") || url.hash) return;
        e.preventDefault();
        go(url.pathname + url.search);
    });
}
