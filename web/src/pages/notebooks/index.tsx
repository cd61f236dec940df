/** Notebooks: the list, and one with its cells. */
import type { PageArgs } from "../../kit";
import { List } from "./list";
import { Book } from "./book";
import "./notebooks.css";

export default function Notebooks({ rest }: PageArgs) {
    return rest[0] ? <Book key={rest[0]} name={rest[0]} /> : <List />;
}
