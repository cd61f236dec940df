/** Who are you? */
import { useEffect, useState } from "preact/hooks";
import { api, session, type Problem, type Session } from "../kit/api";
import { Button, Input } from "../kit/form";
import { Sign } from "../kit/states";

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function Login() {
    const [name, setName] = useState("");
    const [password, setPassword] = useState("");
    const [problem, setProblem] = useState<Problem>();
    const [busy, setBusy] = useState(false);
    useEffect(() => {
        document.title = "Log in · Sluice";
    }, []);
    const enter = async (e: Event) => {
        e.preventDefault();
        setBusy(true);
        setProblem(undefined);
        const got = await api.post<Session>("login", { name, password });
        setBusy(false);
        if (got.ok) session.value = got.value;
        else setProblem(got.problem);
    };
    return (
        <main class="alone">
            <form class="login" onSubmit={enter}>
                <h1>Sluice</h1>
                <p class="quiet">Log in to <bdi>{window.location.host}</bdi></p>
                <Input label="Name" value={name} set={setName} autocomplete="username" required focus />
                <Input label="Password" type="password" value={password} set={setPassword} autocomplete="current-password" required />
                {problem && <p class="login-wrong" role="alert"><Sign tone="bad" /><span>{problem.what} {problem.why} {problem.hint}</span></p>}
                <Button kind="main" type="submit" busy={busy}>{busy ? "Waiting" : "Log in"}</Button>
                {LOCAL.has(window.location.hostname) && <p class="quiet login-hint">A fresh project on this machine knows <code>admin</code> with the password <code>admin</code>.</p>}
            </form>
        </main>
    );
}
