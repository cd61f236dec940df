/** Starts the console: who is there, where we are, what is live. */
import { render } from "preact";
import { loadSession, session } from "./kit/api";
import { startKeys } from "./kit/keys";
import { startLive } from "./kit/live";
import { path, startRouter } from "./kit/router";
import { startTheme } from "./kit/theme";
import { App, pageAt } from "./shell/app";

startTheme();
startRouter();
startKeys();
void loadSession().catch(() => undefined);
void pageAt(path.peek())?.row.load().catch(() => undefined); // its chunk travels while the session is asked for
startLive();
setInterval(() => session.peek() && !document.hidden && void loadSession().catch(() => undefined), 3_600_000); // a session is renewed while it is used
render(<App />, document.getElementById("app")!);
