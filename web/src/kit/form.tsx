/** Fields with their labels, hints and mistakes. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Problem } from "./api";

interface Base {
    label: string;
    hint?: ComponentChildren;
    wrong?: string | undefined; // what is wrong with it, beside it
    hideLabel?: boolean;
}

function Frame({ label, hint, wrong, hideLabel, id, children }: Base & { id: string; children: ComponentChildren }) {
    return (
        <div class={`field${wrong ? " field-wrong" : ""}`}>
            <label for={id} class={hideLabel ? "hidden" : undefined}>{label}</label>
            {children}
            {wrong && <p class="field-note field-error" id={`${id}-wrong`} role="alert">{wrong}</p>}
            {hint && <p class="field-note" id={`${id}-hint`}>{hint}</p>}
        </div>
    );
}

function described(id: string, p: Base) {
    const ids = [p.wrong && `${id}-wrong`, p.hint && `${id}-hint`].filter(Boolean).join(" ");
    return { id, "aria-invalid": p.wrong ? ("true" as const) : undefined, "aria-describedby": ids || undefined };
}

interface InputProps extends Base {
    value: string;
    set: (value: string) => void;
    type?: "text" | "password" | "number" | "search" | "datetime-local" | "email" | "url" | "date";
    placeholder?: string;
    required?: boolean;
    focus?: boolean;
    mono?: boolean;
    list?: string[]; // suggestions
    min?: number;
    max?: number;
    step?: number | "any";
    disabled?: boolean;
    autocomplete?: string;
}

export function Input(p: InputProps) {
    const id = useId();
    return (
        <Frame {...p} id={id}>
            <input {...described(id, p)} class={`input${p.mono ? " mono" : ""}`} type={p.type ?? "text"} value={p.value} placeholder={p.placeholder} required={p.required} autofocus={p.focus} disabled={p.disabled}
                min={p.min} max={p.max} step={p.step} autocomplete={p.autocomplete ?? "off"} spellcheck={false} list={p.list ? `${id}-list` : undefined} onInput={(e) => p.set(e.currentTarget.value)} />
            {p.list && <datalist id={`${id}-list`}>{p.list.map((v) => <option key={v} value={v} />)}</datalist>}
        </Frame>
    );
}

export function TextArea(p: Base & { value: string; set: (value: string) => void; rows?: number; mono?: boolean; placeholder?: string; required?: boolean }) {
    const id = useId();
    return (
        <Frame {...p} id={id}>
            <textarea {...described(id, p)} class={`input${p.mono ? " mono" : ""}`} rows={p.rows ?? 5} value={p.value} placeholder={p.placeholder} required={p.required} spellcheck={!p.mono} onInput={(e) => p.set(e.currentTarget.value)} />
        </Frame>
    );
}

export interface Choice {
    value: string;
    label?: string;
}

export function Select(p: Base & { value: string; set: (value: string) => void; of: (string | Choice)[]; disabled?: boolean }) {
    const id = useId();
    return (
        <Frame {...p} id={id}>
            <select {...described(id, p)} class="input" value={p.value} disabled={p.disabled} onChange={(e) => p.set(e.currentTarget.value)}>
                {p.of.map((o) => {
                    const c = typeof o === "string" ? { value: o } : o;
                    return <option key={c.value} value={c.value} selected={c.value === p.value}>{c.label ?? c.value}</option>;
                })}
            </select>
        </Frame>
    );
}

export function Check(p: { label: ComponentChildren; value: boolean; set: (value: boolean) => void; hint?: ComponentChildren; disabled?: boolean }) {
    const id = useId();
    return (
        <div class="check">
            <input id={id} type="checkbox" checked={p.value} disabled={p.disabled} aria-describedby={p.hint ? `${id}-hint` : undefined} onChange={(e) => p.set(e.currentTarget.checked)} />
            <label for={id}>{p.label}</label>
            {p.hint && <p class="field-note" id={`${id}-hint`}>{p.hint}</p>}
        </div>
    );
}

/** On or off at once, as a dag's toggle. */
export function Switch(p: { label: string; value: boolean; set: (value: boolean) => void; disabled?: boolean }) {
    return (
        <button type="button" role="switch" class="switch" aria-checked={p.value} aria-label={p.label} title={p.label} disabled={p.disabled} onClick={() => p.set(!p.value)}>
            <span />
        </button>
    );
}

/** One of a few, side by side. */
export function Segments<T extends string>(p: { label: string; value: T; set: (value: T) => void; of: { value: T; label: ComponentChildren }[] }) {
    return (
        <div class="segments" role="group" aria-label={p.label}>
            {p.of.map((o) => (
                <button type="button" key={o.value} aria-pressed={o.value === p.value} onClick={() => p.set(o.value)}>{o.label}</button>
            ))}
        </div>
    );
}

interface ButtonProps {
    children: ComponentChildren;
    onClick?: (e: MouseEvent) => void;
    kind?: "main" | "danger" | "bare";
    type?: "button" | "submit";
    disabled?: boolean | undefined;
    busy?: boolean;
    title?: string | undefined;
    label?: string; // when the content is a sign alone
    pressed?: boolean;
}

export function Button({ children, onClick, kind, type = "button", disabled, busy, title, label, pressed }: ButtonProps) {
    return (
        <button type={type} class={`button${kind ? ` button-${kind}` : ""}`} disabled={disabled || busy} aria-busy={busy || undefined} title={title} aria-label={label} aria-pressed={pressed} onClick={onClick}>
            {children}
        </button>
    );
}

/** What a refusal says about one field: the API names it in `where`. */
export function wrongAt(problem: Problem | undefined, field: string): string | undefined {
    return problem?.where === field ? [problem.what, problem.hint].filter(Boolean).join(" ") : undefined;
}
