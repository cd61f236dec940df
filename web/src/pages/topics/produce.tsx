/** One record of one's own; it is on disk when the answer comes. The window stays open for the next. */
import { useState } from "preact/hooks";
import { Button, Command, Dialog, Failed, Icon, Input, Select, TextArea, api, at, parseJson, shell, wrongAt, type Problem } from "../../kit";

const ENCODINGS = [{ value: "text", label: "text or JSON" }, { value: "base64", label: "base64" }, { value: "hex", label: "hex" }, { value: "null", label: "null" }];
const bytesOf = (text: string, encoding: string) => (encoding === "null" ? null : text);
const named = (encoding: string) => (encoding === "null" ? "text" : encoding);

export function Produce({ topic, partitions, onClose }: { topic: string; partitions: number; onClose: () => void }) {
    const [key, setKey] = useState("");
    const [keyKind, setKeyKind] = useState("text");
    const [value, setValue] = useState("");
    const [valueKind, setValueKind] = useState("text");
    const [partition, setPartition] = useState("");
    const [headers, setHeaders] = useState<{ name: string; value: string }[]>([]);
    const [problem, setProblem] = useState<Problem>();
    const [made, setMade] = useState<{ partition: number; offset: number }>();
    const [busy, setBusy] = useState(false);
    const looksJson = valueKind === "text" && /^\s*[[{]/.test(value);
    const broken = looksJson && parseJson(value) === undefined;
    const noKey = keyKind === "null" || key === "";
    const run = async (e: Event) => {
        e.preventDefault();
        setBusy(true);
        setProblem(undefined);
        setMade(undefined);
        const got = await api.post<{ partition: number; offset: number }>(`topics/${encodeURIComponent(topic)}/messages`, {
            key: noKey ? null : key, key_encoding: named(keyKind), value: bytesOf(value, valueKind), value_encoding: named(valueKind),
            headers: headers.filter((h) => h.name).map((h) => ({ name: h.name, value: h.value })), ...(partition !== "" && { partition: Number(partition) }),
        });
        setBusy(false);
        if (got.ok) setMade(got.value);
        else setProblem(got.problem);
    };
    const line = JSON.stringify({ ...(!noKey && { key }), value: bytesOf(value, valueKind), ...(partition !== "" && { partition: Number(partition) }), ...(headers.length && { headers: headers.map((h) => ({ key: h.name, value: h.value })) }) });
    const set = (i: number, part: Partial<{ name: string; value: string }>) => setHeaders(headers.map((h, n) => (n === i ? { ...h, ...part } : h)));
    const shown = problem && !["key", "value", "partition"].includes(problem.where ?? "");
    return (
        <Dialog title={`Produce into ${topic}`} onClose={onClose} wide>
            <form class="stack" onSubmit={run}>
                <div class="fields">
                    <Input label="Key" value={key} set={setKey} mono placeholder="none" focus wrong={wrongAt(problem, "key")} />
                    <Select label="Key is" value={keyKind} set={setKeyKind} of={ENCODINGS} />
                    <Input label="Partition" type="number" min={0} max={partitions - 1} value={partition} set={setPartition} placeholder="by the key" wrong={wrongAt(problem, "partition")} />
                    <Select label="Value is" value={valueKind} set={setValueKind} of={ENCODINGS} />
                </div>
                {valueKind !== "null" && <TextArea label="Value" value={value} set={setValue} rows={8} mono placeholder='{"id": 1}' wrong={wrongAt(problem, "value")} hint={broken ? "This begins like JSON and is none: it is written as text." : looksJson ? "JSON." : undefined} />}
                <div class="stack">
                    {headers.map((h, i) => (
                        <div class="produce-header" key={i}>
                            <Input label={`Header ${i + 1}`} value={h.name} set={(name) => set(i, { name })} placeholder="name" />
                            <Input label={`Value of header ${i + 1}`} value={h.value} set={(v) => set(i, { value: v })} placeholder="value" />
                            <Button kind="bare" label={`Remove header ${i + 1}`} onClick={() => setHeaders(headers.filter((_, n) => n !== i))}><Icon name="close" /></Button>
                        </div>
                    ))}
                    <div><Button onClick={() => setHeaders([...headers, { name: "", value: "" }])}><Icon name="plus" /> Header</Button></div>
                </div>
                {shown && <Failed problem={problem!} />}
                {made && <p role="status">On disk: partition {made.partition}, offset <a href={`${at("topics", topic)}?row=${made.partition}:${made.offset}`} onClick={onClose}>{made.offset}</a>.</p>}
                <div class="buttons">
                    <Button kind="main" type="submit" busy={busy}>Produce</Button>
                    <Button onClick={onClose}>Close</Button>
                    <Command text={`echo ${shell(line)} | sluice produce ${shell(topic)} --json`} />
                </div>
            </form>
        </Dialog>
    );
}
