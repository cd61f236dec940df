/** Topics: what is in them and how fast. One of them: its messages, its partitions with rates, who reads it, its settings. */
import "./topics.css";
import { type PageArgs } from "../../kit";
import { TopicList } from "./list";
import { TopicPage } from "./topic";

export default function Topics({ rest }: PageArgs) {
    const name = rest[0];
    return name === undefined ? <TopicList /> : <TopicPage key={name} name={name} />;
}
