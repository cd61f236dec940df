/** Light, dark, or as the system says; kept in this browser. */
import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const KEY = "sluice.theme";

function kept(): Theme {
    try {
        const t = localStorage.getItem(KEY);
        return t === "light" || t === "dark" ? t : "auto";
    } catch {
        return "auto";
    }
}

export const theme = signal<Theme>(kept());
const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
/** What is shown just now; charts are drawn anew when it changes. */
export const dark = signal(false);
/** A screen too narrow for side panels and second columns. */
export const phone = signal(false);

export function startTheme(): void {
    const set = () => (dark.value = theme.value === "auto" ? systemDark.matches : theme.value === "dark");
    systemDark.addEventListener("change", set);
    effect(() => {
        const t = theme.value;
        if (t === "auto") delete document.documentElement.dataset["theme"];
        else document.documentElement.dataset["theme"] = t;
        set();
        try {
            if (t === "auto") localStorage.removeItem(KEY);
            else localStorage.setItem(KEY, t);
        } catch {
            return; // a browser that keeps nothing shows it for this visit
        }
    });
    const narrow = window.matchMedia("(max-width: 720px)");
    phone.value = narrow.matches;
    narrow.addEventListener("change", () => (phone.value = narrow.matches));
}

/** The colour that a token has just now, for canvases. */
export function colour(token: string): string {
    const probe = document.createElement("span");
    probe.style.color = `var(--${token})`;
    document.body.append(probe);
    const c = getComputedStyle(probe).color;
    probe.remove();
    return c;
}
