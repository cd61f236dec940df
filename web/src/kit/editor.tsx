/** A field for SQL, Markdown or text with colours and completion; a plain field until its program has come. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Core, Completion } from "./editor_core";

export type { Completion };
interface EditorProps {
    label: string;
    value: string;
    set: (value: string) => void;
    language?: "sql" | "markdown" | "text";
    lines?: boolean; // their numbers
    readOnly?: boolean;
    focus?: boolean;
    placeholder?: string;
    rows?: number; // as high at least
    run?: () => void; // Ctrl-Enter, Shift-Enter
    complete?: (text: string, at: number) => Promise<{ from: number; options: Completion[] } | null>;
}

const TOLD_MAX = 200;

export function Editor(p: EditorProps) {
    const host = useRef<HTMLDivElement>(null);
    const core = useRef<Core>();
    const live = useRef(p);
    const told = useRef<string[]>([]); // what was typed and has not come back as the value: who types fast is ahead of it
    live.current = p;
    const [ready, setReady] = useState(false);
    const short = { "--editor-short": `${(p.rows ?? 3) * 20 + 12}px` };
    useEffect(() => {
        let gone = false;
        void import("./editor_core").then(({ makeEditor }) => {
            const el = host.current;
            if (gone || !el) return;
            const now = live.current;
            const typed = document.activeElement === el.previousElementSibling;
            const made = makeEditor({
                parent: el.shadowRoot ?? el.attachShadow({ mode: "open", delegatesFocus: true }), label: now.label, value: now.value, language: now.language ?? "sql",
                lines: now.lines ?? false, readOnly: now.readOnly ?? false, placeholder: now.placeholder ?? "", changed: (v) => (told.current.push(v), told.current.splice(0, told.current.length - TOLD_MAX), live.current.set(v)),
                run: now.run && (() => live.current.run?.()), complete: now.complete && ((text, at) => live.current.complete!(text, at)),
            });
            core.current = made;
            setReady(true);
            if (typed || now.focus) requestAnimationFrame(() => made.focus());
        }, () => undefined); // without it the plain field stays
        return () => {
            gone = true;
            core.current?.end();
            core.current = undefined;
        };
    }, []);
    useEffect(() => {
        const echo = told.current.indexOf(p.value);
        told.current.splice(0, echo < 0 ? told.current.length : echo + 1);
        if (echo < 0) core.current?.set(p.value);
    }, [p.value]);
    useEffect(() => core.current?.lock(p.readOnly ?? false), [p.readOnly]);
    return (
        <div class={`editor${ready ? " is-ready" : ""}`} style={short}>
            {!ready && <textarea class="mono" aria-label={p.label} value={p.value} readOnly={p.readOnly} placeholder={p.placeholder} spellcheck={false} rows={p.rows ?? 3} onInput={(e) => p.set(e.currentTarget.value)} />}
            <div ref={host} />
        </div>
    );
}
