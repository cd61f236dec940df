/** Dashboards: the list, and one. */
import type { PageArgs } from "../../kit";
import { BoardPage } from "./board";
import { List } from "./list";
import "./dashboards.css";

export default function Dashboards({ rest }: PageArgs) {
    return rest[0] ? <BoardPage key={rest[0]} name={rest[0]} /> : <List />;
}
