/** Starts the console: who is there, where we are, what is live. */
import { render } from "preact";
import { loadSession, session } from "./kit/api";
import { startKeys } from "./kit/keys";
import { startLive } from "./kit/live";
import { path, startRouter } from "./kit/router";
import { startTheme } from "./kit/theme";
import { App, bring, pageAt } from "./shell/app";

startTheme();
startRouter();
startKeys();
const page = pageAt(path.peek());
/* The document shows the frame already: the program's first picture waits for what it consists of, and not for long. */
const whole = Promise.allSettled([loadSession(), page && bring(page.row)]);
const long = new Promise((done) => setTimeout(done, 300));
startLive();
setInterval(() => session.peek() && !document.hidden && void loadSession().catch(() => undefined), 3_600_000); // a session is renewed while it is used
void Promise.race([whole, long]).then(() => render(<App />, document.getElementById("app")!));
