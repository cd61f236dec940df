import { Await, Page, useGet } from "../../kit";

export default function Overview() {
    const got = useGet<unknown>("overview");
    return <Page title="Overview"><Await of={got}>{() => null}</Await></Page>;
}
