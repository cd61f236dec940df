/** Keys: `g` and a letter, `/`, `j` `k`, Enter, Esc, `?`. A component names what it hears; the sheet lists it all. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "./dialog";

export interface Key {
    key: string; // "/", "j", "Enter", "g t", "mod+k"
    what: string; // for the sheet; empty: not listed
    run: (e: KeyboardEvent) => void;
    typing?: boolean; // also while a field has the focus
}

const layers: { name: string; keys: () => Key[] }[] = [];
export const sheet = signal(false);
let lead = "";
let leadTimer: ReturnType<typeof setTimeout> | undefined;

/** Keys that hold while the component is on screen; the last one on screen goes first. */
export function useKeys(name: string, keys: Key[]): void {
    const mine = useRef(keys);
    mine.current = keys;
    useEffect(() => {
        const layer = { name, keys: () => mine.current };
        layers.push(layer);
        return () => void layers.splice(layers.indexOf(layer), 1);
    }, [name]);
}

/** `j` and `k` go from one to the next of what `select` finds in the box. */
export function useSteps(name: string, box: { current: HTMLElement | null }, select: string): void {
    const step = (by: number) => {
        const all = [...(box.current?.querySelectorAll<HTMLElement>(select) ?? [])];
        all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement as HTMLElement) + by))]?.focus();
    };
    useKeys(name, [{ key: "j", what: "next", run: () => step(1) }, { key: "k", what: "the one before", run: () => step(-1) }]);
}

function typing(e: Event): boolean {
    const t = e.composedPath()[0];
    return t instanceof HTMLElement && (t.isContentEditable || (t.matches("input, textarea, select") && !t.matches("input[type=checkbox], input[type=radio], input[type=button]")));
}

function pressed(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.isComposing) return;
    const mod = e.ctrlKey || e.metaKey;
    if (e.altKey || (mod && e.key.length > 1)) return;
    const inField = typing(e);
    const inDialog = document.querySelector("dialog[open]") !== null;
    const name = mod ? `mod+${e.key.toLowerCase()}` : lead ? `${lead} ${e.key}` : e.key;
    clearTimeout(leadTimer);
    lead = "";
    for (const layer of [...layers].reverse())
        for (const k of layer.keys()) {
            if (k.key !== name || (inField && !k.typing && !mod) || (inDialog && !mod)) continue; // a dialog has its own Esc
            e.preventDefault();
            return k.run(e);
        }
    if (e.key === "g" && !mod && !inField && !inDialog) {
        lead = "g";
        leadTimer = setTimeout(() => (lead = ""), 1200);
    }
}

export function startKeys(): void {
    document.addEventListener("keydown", pressed);
}

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

/** A key as people see it; on a button it is `beside` its words, for the eye alone. */
export function Kbd({ of, beside }: { of: string; beside?: boolean }) {
    return (
        <span class="kbds" aria-hidden={beside ? "true" : undefined}>
            {of.split(" ").map((k, i) => (
                <kbd key={i}>{k.replace("mod+", MAC ? "⌘ " : "Ctrl ").replace(/\b[a-z]$/, (l) => (k.includes("mod") ? l.toUpperCase() : l))}</kbd>
            ))}
        </span>
    );
}

/** All keys that hold just now, by the part of the screen that hears them. */
export function KeySheet() {
    if (!sheet.value) return null;
    return (
        <Dialog title="Keys" onClose={() => (sheet.value = false)}>
            <div class="key-sheet">
                {[...layers].reverse().map((l) => ({ name: l.name, keys: l.keys().filter((k) => k.what) })).filter((l) => l.keys.length).map((l) => (
                    <section key={l.name}>
                        <h3>{l.name}</h3>
                        <dl>
                            {l.keys.map((k) => (
                                <div key={k.key}><dt><Kbd of={k.key} /></dt><dd>{k.what}</dd></div>
                            ))}
                        </dl>
                    </section>
                ))}
            </div>
        </Dialog>
    );
}
