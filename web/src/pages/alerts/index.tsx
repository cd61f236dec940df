/** Alerts: what is wrong now, who is told, what happened. */
import { Failed, Figures, Page, Tabs, param, plural, useChannel, type PageArgs } from "../../kit";
import { History } from "./history";
import { Receivers } from "./receivers";
import { RuleList } from "./rules";
import type { Rules } from "./shape";

export default function Alerts(_: PageArgs) {
    const got = useChannel<Rules>("alerts");
    const rules = got.value?.rules;
    const view = param("view");
    const firing = rules?.filter((r) => r.state === "firing").length ?? 0;
    const pending = rules?.filter((r) => r.state === "pending").length ?? 0;
    const answer = !rules ? undefined : firing ? `${plural(firing, "rule fires", "rules fire")}.` : pending ? `Nothing fires; ${plural(pending, "rule")} may soon.` : "Nothing is wrong.";
    return (
        <Page title="Alerts" answer={answer}>
            {rules && <Figures of={[{ title: "Firing", value: firing, tone: firing ? "bad" : undefined }, { title: "Pending", value: pending, tone: pending ? "warn" : undefined }, { title: "Rules", value: rules.length }]} />}
            <Tabs label="Alerts" of={[{ key: "", title: "Rules", ...(rules && { count: rules.length }) }, { key: "receivers", title: "Receivers" }, { key: "history", title: "History" }]} />
            {got.value?.file_error && <Failed problem={{ status: 0, code: "alerts.yaml", what: "alerts.yaml is not taken in; the rules before it stay.", why: got.value.file_error }} />}
            {view === "receivers" ? <Receivers /> : view === "history" ? <History /> : got.problem ? <Failed problem={got.problem} retry={got.reload} /> : <RuleList rules={rules} />}
        </Page>
    );
}
