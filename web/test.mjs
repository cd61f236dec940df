// node test.mjs OUT: runs src/**/*.test.ts with node's own test runner, each made into one file first.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, "../build/web"));
const to = path.join(out, "tests");
const tests = fs.readdirSync(path.join(here, "src"), { recursive: true }).filter((f) => f.endsWith(".test.ts")).sort();
const esbuild = createRequire(pathToFileURL(path.join(out, "npm/x.js")))("esbuild");
fs.rmSync(to, { recursive: true, force: true });
await esbuild.build({
    absWorkingDir: here, entryPoints: tests.map((f) => path.join("src", f)), outdir: to, outbase: "src", bundle: true, format: "esm",
    platform: "node", target: "node18", sourcemap: "inline", outExtension: { ".js": ".mjs" }, nodePaths: [path.join(out, "npm/node_modules")], logLevel: "warning",
    jsx: "automatic", jsxImportSource: "preact",
});
const made = tests.map((f) => path.join(to, f.replace(/\.ts$/, ".mjs")));
process.exit(spawnSync(process.execPath, ["--enable-source-maps", "--test", ...made], { stdio: "inherit" }).status ?? 1);
