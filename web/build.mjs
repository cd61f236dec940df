// node build.mjs OUT [--check] [--watch] [--depfile FILE]
//
// Makes the console out of src/: OUT/dist holds every file that is served, with .gz and .br beside it, and
// OUT/manifest.txt says what they are, a line a file, tabs between:
//   path  content-type  forever|ask  bytes  bytes.gz  bytes.br
// "forever" files carry the hash of their content in their name; "ask" are the documents: pages/NAME.html for the
// paths of a page (pages/other.html for those of none), index.html where nobody is logged in. Each has the page's
// first picture in it and names what the page needs, so that all of it travels at once. Libraries lie in OUT/npm, fetched by `npm ci` when package-lock.json is another one;
// when nothing has changed nothing is done. --check looks at the types alone.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import zlib from "node:zlib";

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, "src");
const options = process.argv.slice(2);
const depfile = options.includes("--depfile") ? options[options.indexOf("--depfile") + 1] : null;
const place = options.find((o) => !o.startsWith("--") && o !== depfile);
if (!place) {
    console.error("usage: node build.mjs OUT [--check] [--watch] [--depfile FILE]");
    process.exit(2);
}
const out = path.resolve(place);
const npm = path.join(out, "npm");
const dist = path.join(out, "dist");
const made = path.join(out, "manifest.txt");
const TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
};

/** Every file the result depends on. */
function inputs() {
    const list = ["package.json", "package-lock.json", ".npmrc", "tsconfig.json", "build.mjs"].map((f) => path.join(here, f));
    const walk = (dir) => {
        for (const e of fs.readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
            if (e.isDirectory()) walk(path.join(dir, e.name));
            else list.push(path.join(dir, e.name));
        }
    };
    walk(source);
    return list;
}

function digest(files) {
    const h = createHash("sha256").update(process.version);
    for (const f of files) h.update(path.relative(here, f)).update("\0").update(fs.readFileSync(f)).update("\0");
    return h.digest("hex");
}

function same(file, text) {
    return fs.existsSync(file) && fs.readFileSync(file, "utf8") === text;
}

/** The libraries, in OUT/npm. */
function libraries() {
    const files = ["package.json", "package-lock.json", ".npmrc"];
    const wanted = digest(files.map((f) => path.join(here, f)));
    const mark = path.join(npm, "fetched");
    if (same(mark, wanted)) return;
    fs.mkdirSync(npm, { recursive: true });
    fs.rmSync(mark, { force: true });
    for (const f of files) fs.copyFileSync(path.join(here, f), path.join(npm, f));
    try {
        execFileSync("npm", ["ci", "--prefer-offline"], { cwd: npm, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
    } catch (e) {
        console.error(`web: npm ci failed; is the registry reachable?\n${e.stdout || ""}${e.stderr || e.message}`);
        process.exit(1);
    }
    fs.writeFileSync(mark, wanted);
}

/** Types, strictly; the libraries' own are found where they lie. */
function check() {
    const config = path.join(out, "tsconfig.json");
    fs.writeFileSync(config, JSON.stringify({
        extends: path.join(here, "tsconfig.json"),
        compilerOptions: {
            baseUrl: ".",
            paths: { "*": ["./npm/node_modules/@types/*", "./npm/node_modules/*"] },
            typeRoots: ["./npm/node_modules/@types"],
            incremental: true,
            tsBuildInfoFile: path.join(out, "types.info"),
        },
        include: [source],
    }));
    try {
        execFileSync(process.execPath, [path.join(npm, "node_modules/typescript/bin/tsc"), "-p", config], { cwd: here, stdio: "inherit" });
    } catch {
        return false;
    }
    return true;
}

/** `import "./page.css"` in a page: its rules travel in the page's own chunk, and are adopted as a sheet, which a
 * content policy without inline styles allows. */
function styles(esbuild) {
    return {
        name: "styles",
        setup(build) {
            build.onLoad({ filter: /\.css$/ }, async (args) => {
                if (path.dirname(args.path) === path.join(source, "style")) return undefined; // the sheet of shell and kit
                const css = await esbuild.transform(await fs.promises.readFile(args.path, "utf8"), { loader: "css", minify: true });
                return {
                    contents: `import {adopt} from ${JSON.stringify(path.join(source, "kit/adopt.ts"))};adopt(${JSON.stringify(css.code.trim())});`,
                    loader: "js",
                    resolveDir: source,
                };
            });
        },
    };
}

function settings(esbuild) {
    return {
        absWorkingDir: here,
        entryPoints: { app: path.join(source, "main.tsx"), style: path.join(source, "style/style.css") },
        outdir: dist,
        bundle: true,
        format: "esm",
        splitting: true,
        minify: true,
        target: ["es2022", "chrome111", "firefox113", "safari16.4"],
        entryNames: "assets/[name]-[hash]",
        chunkNames: "assets/[name]-[hash]",
        jsx: "automatic",
        jsxImportSource: "preact",
        nodePaths: [path.join(npm, "node_modules")],
        legalComments: "none",
        metafile: true,
        write: false,
        charset: "utf8",
        logLevel: "warning",
        plugins: [styles(esbuild)],
    };
}

/** What stands in the documents, drawn without a browser: the pages' rows, and components without hooks. */
async function stills(esbuild) {
    const made = await esbuild.build({
        absWorkingDir: here, bundle: true, write: false, format: "esm", platform: "node", target: "node18", jsx: "automatic", jsxImportSource: "preact",
        stdin: { contents: `export * from "./shell/still"; export { PAGES } from "./pages"; export { h } from "preact";`, resolveDir: source },
        external: ["./pages/*"], nodePaths: [path.join(npm, "node_modules")], logLevel: "warning",
    });
    return import("data:text/javascript;base64," + Buffer.from(made.outputFiles[0].contents).toString("base64"));
}

/** The script that runs before the first paint: one file, with nothing beside it. */
async function early(esbuild) {
    const made = await esbuild.build({ absWorkingDir: here, entryPoints: [path.join(source, "early.ts")], bundle: true, write: false, format: "iife", minify: true, target: settings(esbuild).target });
    return Buffer.from(made.outputFiles[0].contents);
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ESCAPES[c]);

/** Elements as HTML. */
function markup(v) {
    if (v === null || v === undefined || typeof v === "boolean") return "";
    if (Array.isArray(v)) return v.map(markup).join("");
    if (typeof v !== "object") return escape(v);
    if (typeof v.type === "function") return markup(v.type(v.props));
    const { children, ...attributes } = v.props;
    const words = Object.entries(attributes).filter(([, x]) => x !== undefined && x !== null && x !== false);
    return `<${v.type}${words.map(([k, x]) => ` ${k}="${escape(x)}"`).join("")}>${markup(children)}</${v.type}>`;
}

/** The documents: name -> HTML, each with the names of this build: the style, the program, and what it surely needs next. */
function documents(result, names, { Still, StillLogin, PAGES, h }) {
    const rel = (f) => "/" + path.relative(dist, path.resolve(here, f));
    const outs = result.metafile.outputs;
    const entry = (name) => Object.keys(outs).find((f) => outs[f].entryPoint === name);
    const needed = (file, found = new Set()) => {
        found.add(file);
        for (const i of outs[file].imports) if (i.kind === "import-statement" && !found.has(i.path)) needed(i.path, found);
        return found;
    };
    const template = fs.readFileSync(path.join(source, "index.html"), "utf8");
    const app = entry("src/main.tsx");
    const one = (title, picture, pages) => {
        const needs = [...new Set([app, ...pages].flatMap((f) => [...needed(f)]))].filter((f) => f !== app);
        const parts = {
            title,
            icon: `<link rel="icon" type="image/svg+xml" href="/${names.icon}">`,
            style: `<script src="/${names.early}"></script><link rel="stylesheet" href="${rel(entry("src/style/style.css"))}">`,
            program: `<script type="module" src="${rel(app)}"></script>${needs.map((f) => `<link rel="modulepreload" href="${rel(f)}">`).join("")}<link rel="preload" as="fetch" crossorigin href="/api/console/session">`,
            picture: markup(picture),
        };
        return Buffer.from(template.replace(/<!-- (\w+) -->/g, (_, part) => parts[part]));
    };
    const chunk = (row) => {
        const [, folder] = /import\("\.\/(pages\/[\w-]+)"\)/.exec(String(row.load));
        return entry(`src/${folder}/index.tsx`);
    };
    return new Map([
        ["index.html", one("Sluice", h(StillLogin), [])],
        ["pages/other.html", one("Sluice", h(Still, { here: "" }), [])],
        ...PAGES.map((row) => [`pages/${row.path.slice(1) || "home"}.html`, one(`${row.title} · Sluice`, h(Still, { here: row.path }), [chunk(row)])]),
    ]);
}

/** All files of a build, compressed as far as it goes; what is there from the last one and the same stays. */
function write(result, pictures, first) {
    const sign = fs.readFileSync(path.join(source, "icon.svg"));
    const named = (name, bytes, ending) => `assets/${name}-${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}${ending}`;
    const names = { icon: named("icon", sign, ".svg"), early: named("early", first, ".js") };
    const files = new Map([...documents(result, names, pictures), [names.icon, sign], [names.early, first]]);
    for (const f of result.outputFiles) files.set(path.relative(dist, f.path), Buffer.from(f.contents));
    const rows = [];
    for (const dir of ["assets", "pages"]) fs.mkdirSync(path.join(dist, dir), { recursive: true });
    for (const [name, bytes] of [...files].sort()) {
        const file = path.join(dist, name);
        if (!(fs.existsSync(file) && fs.existsSync(file + ".br") && fs.readFileSync(file).equals(bytes))) {
            fs.writeFileSync(file + ".gz", zlib.gzipSync(bytes, { level: 9 }));
            fs.writeFileSync(file + ".br", zlib.brotliCompressSync(bytes, { params: {
                [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
                [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
                [zlib.constants.BROTLI_PARAM_MODE]: zlib.constants.BROTLI_MODE_TEXT,
            } }));
            fs.writeFileSync(file, bytes);
        }
        const size = (ending) => fs.statSync(file + ending).size;
        rows.push([name, TYPES[path.extname(name)], name.endsWith(".html") ? "ask" : "forever", bytes.length, size(".gz"), size(".br")]);
    }
    for (const dir of ["", "assets", "pages"])
        for (const name of fs.readdirSync(path.join(dist, dir))) {
            const file = path.join(dist, dir, name);
            if (fs.statSync(file).isFile() && !files.has(path.join(dir, name).replace(/\.(gz|br)$/, ""))) fs.rmSync(file);
        }
    fs.writeFileSync(made, rows.map((r) => r.join("\t") + "\n").join(""));
    const sum = (i) => rows.reduce((a, r) => a + r[i], 0);
    return `web: ${rows.length} files, ${sum(3)} bytes, ${sum(4)} as gzip, ${sum(5)} as brotli`;
}

async function build(esbuild) {
    const result = await esbuild.build(settings(esbuild));
    console.log(write(result, await stills(esbuild), await early(esbuild)));
}

libraries();
if (options.includes("--check")) process.exit(check() ? 0 : 1);
const mark = path.join(out, "built");
const files = inputs();
const now = digest(files);
if (depfile) fs.writeFileSync(depfile, `manifest.txt: ${files.map((f) => f.replaceAll(" ", "\\ ")).join(" ")}\n`);
const esbuild = createRequire(pathToFileURL(path.join(npm, "x.js")))("esbuild");
if (!same(mark, now) || !fs.existsSync(made)) {
    fs.rmSync(mark, { force: true });
    await build(esbuild).catch(() => process.exit(1));
    fs.writeFileSync(mark, now);
} else {
    fs.utimesSync(made, new Date(), new Date());
}
if (options.includes("--watch")) {
    let timer;
    console.log(`web: watching ${source}`);
    const again = () => {
        clearTimeout(timer);
        timer = setTimeout(() => build(esbuild).catch(() => {}), 50);
    };
    for (const dir of new Set(files.map((f) => path.dirname(f)))) if (dir.startsWith(source)) fs.watch(dir, again);
}
