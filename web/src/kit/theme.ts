/** Light, dark, or as the system says; kept in this browser. */
import { effect, signal } from "@preact/signals";
import { THEME_KEY, keptTheme, wear, type Theme } from "./kept";

export type { Theme };
export const theme = signal<Theme>(keptTheme());
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
        wear(t);
        set();
        try {
            if (t === "auto") localStorage.removeItem(THEME_KEY);
            else localStorage.setItem(THEME_KEY, t);
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
