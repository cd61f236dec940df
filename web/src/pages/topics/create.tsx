/** A new topic: its name, its partitions, the settings that people change. The server checks; what is wrong stands beside its field. */
import { useState } from "preact/hooks";
import { Button, Command, Dialog, Failed, Input, Select, api, shell, wrongAt, type Problem } from "../../kit";

const KEEP = [
    { value: "604800000", label: "7 days" },
    { value: "86400000", label: "1 day" },
    { value: "3600000", label: "1 hour" },
    { value: "2592000000", label: "30 days" },
    { value: "-1", label: "for ever" },
];
const CLEANUP = [
    { value: "delete", label: "delete: old records go" },
    { value: "compact", label: "compact: the last of each key stays" },
    { value: "compact,delete", label: "both" },
];

export function Create({ onClose, onDone }: { onClose: () => void; onDone: (name: string) => void }) {
    const [name, setName] = useState("");
    const [partitions, setPartitions] = useState("3");
    const [keep, setKeep] = useState("604800000");
    const [cleanup, setCleanup] = useState("delete");
    const [problem, setProblem] = useState<Problem>();
    const [busy, setBusy] = useState(false);
    const settings = { ...(keep !== "604800000" && { "retention.ms": keep }), ...(cleanup !== "delete" && { "cleanup.policy": cleanup }) };
    const command = ["sluice topics create", shell(name || "NAME"), `--partitions ${shell(partitions)}`, ...Object.entries(settings).map(([k, v]) => `--config ${shell(`${k}=${v}`)}`)].join(" ");
    const run = async (e: Event) => {
        e.preventDefault();
        setBusy(true);
        const got = await api.post<{ name: string }>("topics", { name, partitions: Number(partitions), settings });
        setBusy(false);
        if (got.ok) onDone(name);
        else setProblem(got.problem);
    };
    const named = problem?.where === "name" || problem?.where === "partitions";
    return (
        <Dialog title="Create a topic" onClose={onClose}>
            <form class="stack" onSubmit={run}>
                <Input label="Name" value={name} set={setName} focus required wrong={wrongAt(problem, "name")} hint="Letters, digits, '.', '_' and '-'." />
                <div class="fields">
                    <Input label="Partitions" type="number" min={1} max={10000} value={partitions} set={setPartitions} required wrong={wrongAt(problem, "partitions")} hint="They can grow later, never shrink." />
                    <Select label="Keeps records for" value={keep} set={setKeep} of={KEEP} />
                    <Select label="Cleanup" value={cleanup} set={setCleanup} of={CLEANUP} />
                </div>
                {problem && !named && <Failed problem={problem} />}
                <div class="buttons">
                    <Button kind="main" type="submit" busy={busy} disabled={!name}>Create topic</Button>
                    <Button onClick={onClose}>Cancel</Button>
                    <Command text={command} />
                </div>
            </form>
        </Dialog>
    );
}
