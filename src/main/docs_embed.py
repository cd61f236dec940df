"""docs_embed.py FOLDER FILE.c DEPFILE: writes FILE.c, which takes FOLDER/*.md into the program by .incbin, a table beside them."""
import json
import pathlib
import sys

folder, file, depfile = map(pathlib.Path, sys.argv[1:])
pages = sorted(folder.resolve().glob("*.md"))
blobs = [f"""__asm__(".pushsection .rodata\\ndocs_page_{i}: .incbin {json.dumps(json.dumps(str(p)))[1:-1]}\\n.popsection\\n");""" for i, p in enumerate(pages)]
names = [f"""extern const uint8_t docs_page_{i}[] __attribute__((visibility("hidden")));""" for i in range(len(pages))]
rows = [f"    {{{json.dumps(p.stem)}, {{docs_page_{i}, {p.stat().st_size}}}}}," for i, p in enumerate(pages)]
file.write_text("\n".join(["/* Made by docs_embed.py. */", '#include "main/docs_pages.h"', "", *blobs, *names, "const struct docs_page docs_pages[] = {", *rows, "};",
                           f"const uint32_t docs_page_count = {len(pages)};", ""]))
escaped = [str(p).replace(" ", "\\ ") for p in [folder.resolve(), *pages]]  # the folder: a page that is added
depfile.write_text(f"{file}: {' '.join(escaped)}\n")
