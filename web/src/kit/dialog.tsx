/** Windows over the page, by the browser's own <dialog>: focus stays inside, Esc closes, it returns where it was.
 * Confirm is for what can not be undone: it says in numbers what will go, and asks for the name. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Answer, Problem } from "./api";
import { Command } from "./command";
import { Button } from "./form";
import { Icon } from "./icon";
import { Failed } from "./states";

export function Dialog({ title, onClose, children, wide, foot }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean; foot?: ComponentChildren }) {
    const box = useRef<HTMLDialogElement>(null);
    const id = useId();
    useLayoutEffect(() => {
        const d = box.current!;
        const back = document.activeElement;
        d.showModal();
        return () => {
            d.close();
            if (back instanceof HTMLElement || back instanceof SVGElement) back.focus({ preventScroll: true });
        };
    }, []);
    return (
        <dialog ref={box} class={`dialog${wide ? " dialog-wide" : ""}`} aria-labelledby={id} onCancel={(e) => (e.preventDefault(), onClose())} onMouseDown={(e) => e.target === box.current && onClose()}>
            <div class="dialog-box">
                <header class="dialog-head">
                    <h2 id={id}>{title}</h2>
                    <button type="button" class="button button-bare" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
                </header>
                <div class="dialog-body">{children}</div>
                {foot && <footer class="dialog-foot">{foot}</footer>}
            </div>
        </dialog>
    );
}

interface ConfirmProps {
    title: string; // "Delete topic users_created"
    verb: string; // "Delete topic", on the button
    name?: string; // what must be typed; without it a click is enough
    danger?: boolean; // red; so it is when a name is asked
    command?: string; // the command that does the same
    children: ComponentChildren; // what will happen, in numbers
    act: () => Promise<Answer<unknown>>;
    onDone: () => void; // after it was done; closes
    onClose: () => void;
}

export function Confirm({ title, verb, name, danger = name !== undefined, command, children, act, onDone, onClose }: ConfirmProps) {
    const [typed, setTyped] = useState("");
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem>();
    const alive = useRef(true);
    const id = useId();
    useEffect(() => () => void (alive.current = false), []);
    const run = async (e: Event) => {
        e.preventDefault();
        if (busy || (name !== undefined && typed !== name)) return;
        setBusy(true);
        setProblem(undefined);
        const got = await act();
        if (!alive.current) return;
        setBusy(false);
        if (got.ok) onDone();
        else setProblem(got.problem);
    };
    return (
        <Dialog title={title} onClose={onClose}>
            <form onSubmit={run} class="stack">
                <div class="stack">{children}</div>
                {name !== undefined && (
                    <div class="field">
                        <label for={id}>Type <code>{name}</code> to go on</label>
                        <input id={id} class="input" value={typed} autocomplete="off" spellcheck={false} autofocus onInput={(e) => setTyped(e.currentTarget.value)} />
                    </div>
                )}
                {problem && <Failed problem={problem} />}
                <div class="buttons">
                    <button type="submit" class={`button ${danger ? "button-danger" : "button-main"}`} disabled={busy || (name !== undefined && typed !== name)}>{busy ? "Waiting" : verb}</button>
                    <button type="button" class="button" onClick={onClose}>Cancel</button>
                    {command && <Command text={command} />}
                </div>
            </form>
        </Dialog>
    );
}

/** A form in a window: what it sends, what refused it. */
export function FormDialog({ title, children, act, done, close, command, verb = "Keep" }: { title: string; children: ComponentChildren; act: () => Promise<Answer<unknown>>; done: () => void; close: () => void; command?: string; verb?: string }) {
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem>();
    const run = async (e: Event) => {
        e.preventDefault();
        if (busy) return;
        setBusy(true);
        setProblem(undefined);
        const got = await act();
        setBusy(false);
        if (got.ok) done();
        else setProblem(got.problem);
    };
    return (
        <Dialog title={title} onClose={close}>
            <form class="stack" onSubmit={run}>
                {children}
                {problem && <Failed problem={problem} />}
                <div class="buttons"><Button kind="main" type="submit" busy={busy}>{busy ? "Waiting" : verb}</Button><Button onClick={close}>Cancel</Button>{command && <Command text={command} />}</div>
            </form>
        </Dialog>
    );
}
