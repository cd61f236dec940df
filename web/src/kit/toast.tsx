/** A short word about what was done, at the edge; it goes by itself unless it tells of a failure. */
import { signal } from "@preact/signals";
import type { Problem } from "./api";
import { Icon } from "./icon";
import { Sign, type Tone } from "./states";

interface Toast {
    id: number;
    text: string;
    tone: Tone;
    hint?: string | undefined;
}
const toasts = signal<Toast[]>([]);
let next = 1;

export function toast(text: string, tone: Tone = "good", hint?: string): void {
    const id = next++;
    toasts.value = [...toasts.value.slice(-3), { id, text, tone, hint }];
    if (tone !== "bad") setTimeout(() => drop(id), 5000);
}

export function toastProblem(p: Problem): void {
    toast(p.what + (p.why ? ` ${p.why}` : ""), "bad", p.hint);
}

function drop(id: number): void {
    toasts.value = toasts.value.filter((t) => t.id !== id);
}

export function Toasts() {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {toasts.value.map((t) => (
                <div class="toast" key={t.id}>
                    <Sign tone={t.tone} />
                    <span>
                        {t.text}
                        {t.hint && <span class="quiet"> {t.hint}</span>}
                    </span>
                    <button type="button" class="button button-bare" aria-label="Close this note" onClick={() => drop(t.id)}><Icon name="close" /></button>
                </div>
            ))}
        </div>
    );
}
