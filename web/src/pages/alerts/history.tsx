/** What happened: newest first, older ones as one scrolls; new ones come by themselves. */
import { useEffect, useState } from "preact/hooks";
import { Ago, Empty, Failed, State, Table, api, listen, type Problem } from "../../kit";
import type { Happened } from "./shape";

const PAGE = 200;
const TONE: Record<string, "bad" | "good" | "warn" | "off"> = { firing: "bad", resolved: "good", "not told": "bad", told: "off", "cannot be judged": "warn", "judged again": "good" };

export function History() {
    const [events, setEvents] = useState<Happened[]>();
    const [problem, setProblem] = useState<Problem>();
    const [end, setEnd] = useState(false);
    const load = async (before: number) => {
        const got = await api.get<{ events: Happened[] }>("alerts/history", { limit: PAGE, ...(before && { before }) });
        if (!got.ok) return setProblem(got.problem);
        const more = got.value.events;
        setProblem(undefined);
        if (before && more.length < PAGE) setEnd(true);
        setEvents((had) => {
            const known = new Set(had?.map((e) => e.number));
            const fresh = more.filter((e) => !known.has(e.number));
            return [...(had ?? []), ...fresh].sort((a, b) => b.number - a.number);
        });
    };
    useEffect(() => void load(0), []);
    useEffect(() => listen("alerts", () => void load(0)), []);
    if (problem && !events) return <Failed problem={problem} retry={() => load(0)} />;
    return (
        <Table id="events" label="History" rows={events} rowKey={(e) => String(e.number)} what="the history"
            onEnd={() => !end && events?.length && void load(events.at(-1)!.number)}
            columns={[
                { key: "when", title: "When", width: "104px", of: (e) => e.ms, cell: (e) => <Ago at={e.ms} />, first: "down" },
                { key: "what", title: "What", width: "136px", of: (e) => e.what, cell: (e) => <State of={e.what} tone={TONE[e.what] ?? "off"} /> },
                { key: "rule", title: "Rule", width: "minmax(140px, 1.2fr)", of: (e) => e.rule, cell: (e) => <bdi>{e.rule}</bdi> },
                { key: "part", title: "Part", width: "minmax(96px, 1fr)", wide: true, of: (e) => e.part, cell: (e) => <bdi>{e.part}</bdi> },
                { key: "value", title: "Figure", width: "112px", right: true, wide: true, of: (e) => Number(e.value) },
                { key: "story", title: "Story", width: "minmax(120px, 2fr)", wide: true, of: (e) => e.story, cell: (e) => <bdi title={e.story}>{e.story.split("\n")[0]}</bdi> },
            ]}
            empty={<Empty title="Nothing has happened yet.">Rules that fire, and who was told of them, stand here.</Empty>} />
    );
}
