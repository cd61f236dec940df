/** What `sluice plan` has found: its weight, its place in the file, what to do. */
import { State } from "./states";

export interface PlanFinding {
    code: string;
    severity: string;
    where: string;
    text: string;
    fix: string;
}

export function Finding({ of: f }: { of: PlanFinding }) {
    return (
        <div class={`finding${f.severity === "error" ? " is-error" : ""}`}>
            <p>{f.severity === "error" ? <State of="error" /> : <span class="badge">{f.severity}</span>} <code>{f.code}</code> {f.where && <span class="quiet">{f.where}</span>}</p>
            <p class={`finding-text${f.text.includes("\n") ? " mono" : ""}`}>{f.text}</p>
            {f.fix && <p class="quiet">{f.fix}</p>}
        </div>
    );
}
