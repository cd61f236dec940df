/** The colours that this browser was told to keep. Needed before the first paint, by a script of its own (early.ts):
 * nothing else may come along. */
export type Theme = "auto" | "light" | "dark";
export const THEME_KEY = "sluice.theme";

export function keptTheme(): Theme {
    try {
        const t = localStorage.getItem(THEME_KEY);
        return t === "light" || t === "dark" ? t : "auto";
    } catch {
        return "auto";
    }
}

/** The sheet's colours follow. */
export function wear(t: Theme): void {
    if (t === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = t;
}
