/** Which groups read the topic, and who of them is behind. */
import { Await, Command, Empty, Num, State, Table, linkTo, useChannel, type Column } from "../../kit";
import { type GroupRow } from "./shape";

const COLUMNS: Column<GroupRow>[] = [
    { key: "name", title: "Group", of: (g) => g.name, width: "minmax(160px, 2fr)" },
    { key: "state", title: "State", of: (g) => g.state, cell: (g) => <State of={g.state.replace(/([a-z])([A-Z])/g, "$1 $2")} />, width: "160px" },
    { key: "lag", title: "Lag", of: (g) => g.lag, cell: (g) => <Num of={g.lag} live />, right: true, width: "96px", first: "down", hint: "records behind, over all its topics" },
    { key: "members", title: "Members", of: (g) => g.member_count, right: true, width: "80px" },
    { key: "stream", title: "Stream", of: (g) => g.stream, cell: (g) => (g.stream ? <a href={linkTo("stream", g.stream)}><bdi>{g.stream}</bdi></a> : <span class="none">–</span>), width: "minmax(96px, 1fr)", wide: true },
];

export function Readers({ topic }: { topic: string }) {
    const got = useChannel<{ groups: GroupRow[] }>("groups");
    return (
        <Await of={got} what="the groups">
            {(value) => (
                <Table label="Groups" id="g" rows={value.groups.filter((g) => g.topics.includes(topic))} rowKey={(g) => g.name} columns={COLUMNS} href={(g) => linkTo("group", g.name)} sort="-lag"
                    empty={<Empty title="No group reads this topic, or has committed a position in it." action={<Command text={`sluice consume ${topic} --group my-group`} />}>A consumer with a group id stands here with how far behind it is.</Empty>} />
            )}
        </Await>
    );
}
