/** The documentation of this version: its pages, what they say about some words, and one of them. */
import type { PageArgs } from "../../kit";
import "./docs.css";
import { List } from "./list";
import { One } from "./one";

export default function Docs({ rest }: PageArgs) {
    return rest[0] ? <One key={rest[0]} name={rest[0]} /> : <List />;
}
