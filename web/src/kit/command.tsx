/** Beside an action, the command that does the same. */
import { useState } from "preact/hooks";
import { Icon } from "./icon";
import { toast } from "./toast";

export async function copy(text: string): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return fallback(text);
    }
}

/** Browsers give the clipboard to secure pages alone; by plain HTTP from another machine the old way is left. */
function fallback(text: string): boolean {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
}

/** A word for the shell: quoted when it must be. */
export function shell(word: string | number): string {
    const w = String(word);
    return /^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replaceAll("'", `'\\''`)}'`;
}

/** The command, and a button that copies it. `quiet`: the button alone. */
export function Command({ text, quiet }: { text: string; quiet?: boolean }) {
    const [done, setDone] = useState(false);
    const take = async () => {
        if (!(await copy(text))) return toast("The browser gives no clipboard here. The command stands beside the button.", "warn");
        setDone(true);
        setTimeout(() => setDone(false), 1500);
    };
    return (
        <span class="command">
            {!quiet && <code title={text}>{text}</code>}
            <button type="button" class="button button-bare" onClick={take} title={text} aria-label={`Copy as command: ${text}`}>
                <Icon name={done ? "check" : "copy"} />
                {quiet && <span>{done ? "Copied" : "Copy as command"}</span>}
            </button>
            <span class="hidden" role="status">{done ? "Copied" : ""}</span>
        </span>
    );
}
