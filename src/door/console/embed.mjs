// node embed.mjs WEB OUT FILE.c DEPFILE
//
// Builds the console's pages (WEB/build.mjs, into OUT) and writes FILE.c, which takes them into the program: a table of
// the served files, and their compressed bytes by .incbin, a statement each: a text of C has a length it may not exceed. The plain bytes are not taken along: whoever takes no
// compression gets them unpacked.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const [web, out, file, depfile] = process.argv.slice(2);
const list = path.join(out, "pages.d");
try {
    execFileSync(process.execPath, [path.join(web, "build.mjs"), out, "--depfile", list], { stdio: ["ignore", "inherit", "inherit"] });
} catch {
    console.error("the console's pages were not made: see above; -Dconsole=false builds without them");
    process.exit(1);
}
const text = (s) => JSON.stringify(s);
const rows = fs.readFileSync(path.join(out, "manifest.txt"), "utf8").trim().split("\n").map((l) => l.split("\t"));
const blobs = [], table = [];
rows.forEach(([name, type, keep, bytes], i) => {
    const plain = path.resolve(out, "dist", name);
    const tag = createHash("sha256").update(fs.readFileSync(plain)).digest("hex").slice(0, 16);
    for (const end of ["gz", "br"]) blobs.push(`__asm__(".pushsection .rodata\\n.balign 8\\nconsole_page_${i}_${end}: .incbin \\"${plain}.${end}\\"\\n.popsection\\n");`);
    const size = (end) => fs.statSync(`${plain}.${end}`).size;
    table.push(`    {${text("/" + name)}, ${text(type)}, "\\"${tag}\\"", ${keep === "forever"}, ${bytes}, {console_page_${i}_gz, ${size("gz")}}, {console_page_${i}_br, ${size("br")}}},`);
});
const names = rows.flatMap((_, i) => ["gz", "br"].map((end) => `extern const uint8_t console_page_${i}_${end}[] __attribute__((visibility("hidden")));`));
fs.writeFileSync(file, `/* Made by embed.mjs of what web/ builds. */
#include "door/console/assets.h"

${blobs.join("\n")}
${names.join("\n")}
const struct asset console_assets[] = {
${table.join("\n")}
};
const uint32_t console_asset_count = ${rows.length};
`);
const needs = fs.readFileSync(list, "utf8");
fs.writeFileSync(depfile, file + needs.slice(needs.indexOf(":")));
