/** What is wrong with the machine, the project's files as they are on disk, and the server; with the fix. */
import { Await, Button, Command, Figures, Icon, State, duration, plural, useGet, type Tone } from "../../kit";
import type { Examined, Finding } from "./shape";

const TONE: Record<string, Tone> = { ok: "good", note: "warn", problem: "bad" };
const ORDER = ["problem", "note", "ok"];

export function Doctor() {
    const got = useGet<Examined>("system/doctor");
    return (
        <>
            <p class="row system-look">
                <Button onClick={got.reload} busy={got.busy}><Icon name="refresh" /> Look again</Button>
                <Command text="sluice doctor" />
            </p>
            <Await of={got} what="the doctor, who reads the project's files">
                {(x) => (
                    <>
                        <Figures of={[
                            { title: "Problems", value: x.problems, tone: x.problems ? "bad" : undefined, note: x.problems ? "with what to do below" : "nothing is wrong" },
                            { title: "Looked at", value: x.findings.length, note: `${plural(new Set(x.findings.map((f) => f.area)).size, "area")} in ${duration(x.ms)}` },
                        ]} />
                        <ul class="system-findings">
                            {[...x.findings].sort((a, b) => ORDER.indexOf(a.word) - ORDER.indexOf(b.word)).map((f, i) => <Told key={i} of={f} />)}
                        </ul>
                    </>
                )}
            </Await>
        </>
    );
}

function Told({ of: f }: { of: Finding }) {
    const command = f.hint.match(/(?:^|[:;\s`])(sluice [a-z][^`.;]*|ulimit [^`.;]*?(?= before|$))/)?.[1]?.trim();
    return (
        <li class={`system-finding system-is-${f.word}`}>
            <State of={f.word} tone={TONE[f.word] ?? "off"} />
            <span class="quiet system-area">{f.area}</span>
            <div class="system-told">
                <p><bdi>{f.what}</bdi>{f.where && <> at <code><bdi>{f.where}</bdi></code></>}</p>
                {f.why && <p class="system-why"><bdi>{f.why}</bdi></p>}
                {f.hint && <p class="system-hint">{f.hint}</p>}
                {command && <Command text={command} />}
                {f.text && <pre class="system-words">{f.text}</pre>}
            </div>
        </li>
    );
}
