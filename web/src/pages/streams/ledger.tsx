/** Where every record went: the terms of a ledger, and whether they add up. */
import { Command, Facts, Sign, count, percent, plural, shell } from "../../kit";
import type { Ledger, Stage } from "./shape";

const TERMS = [
    ["applied", "became rows or records of the target"],
    ["filtered", "left out by WHERE, or by a CHECK that skips"],
    ["deduplicated", "seen before"],
    ["late", "older than the watermark"],
    ["dead", "could not be used; each left a letter"],
    ["expired", "removed by retention before it was read"],
    ["held", "waits in open state, or stands for a group that is remembered"],
] as const;

function off(l: Ledger): number {
    return l.in - TERMS.reduce((a, [t]) => a + l[t], 0);
}

export function LedgerLine({ of, balanced }: { of: Ledger; balanced: boolean }) {
    const shown = TERMS.filter(([t]) => t === "applied" || of[t]);
    return (
        <p class={`streams-ledger num${balanced ? "" : " is-off"}`} aria-label="Ledger">
            {!balanced && <Sign tone="bad" />}
            <span>in <b class="live" data-term="in">{count(of.in)}</b></span> <span>{balanced ? "=" : "≠"}</span>{" "}
            {shown.map(([t], i) => <span key={t}>{i > 0 && "+ "}{t} <b class={`live${t === "dead" || t === "expired" ? " is-wrong" : ""}`} data-term={t}>{count(of[t])}</b></span>)}
            {!balanced && <span class="sign-bad">{off(of) ? `${plural(Math.abs(off(of)), "record")} ${off(of) > 0 ? "not accounted for" : "counted twice"}` : "the last epoch did not balance and was not committed"}</span>}
        </p>
    );
}

export function LedgerWhole({ of: s }: { of: Stage }) {
    const l = s.ledger;
    const whole = Math.max(1, l.in);
    return (
        <div class="stack streams-narrow">
            <p class="streams-verdict">{s.balanced && !off(l) ? <>It balances: each of the <b class="num live" data-term="in">{count(l.in)}</b> records that came in is accounted for.</> : <span class="sign sign-bad"><Sign tone="bad" />It does not balance: {off(l) ? `${plural(Math.abs(off(l)), "record")} ${off(l) > 0 ? "not accounted for" : "counted twice"}` : "an epoch did not, and was not committed"}.</span>}</p>
            <table class="streams-terms">
                <thead><tr><th scope="col">Term</th><th scope="col" class="right">Records</th><th scope="col" class="right">Share</th><th scope="col">What it means</th></tr></thead>
                <tbody>
                    {TERMS.map(([t, about]) => (
                        <tr key={t} class={l[t] && (t === "dead" || t === "expired") ? "is-wrong" : l[t] ? undefined : "is-none"}>
                            <th scope="row">{t}</th><td class="right num live" data-term={t}>{count(l[t])}</td><td class="right num">{percent(l[t] / whole)}</td><td>{about}</td>
                        </tr>
                    ))}
                </tbody>
                <tfoot><tr><th scope="row">in</th><td class="right num live">{count(l.in)}</td><td class="right num">{l.in ? "100 %" : "–"}</td><td>the sum, counted on its own</td></tr></tfoot>
            </table>
            <Facts of={[["Rows out", <span class="num live">{count(l.rows_out)}</span>], ["Counted", "each where it happens; none is computed from the others"]]} />
            <Command text={`sluice streams describe ${shell(s.name)}`} />
        </div>
    );
}
