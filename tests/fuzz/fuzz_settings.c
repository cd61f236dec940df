/* sluice.yaml from a file of any content. */
#include "fuzz.h"
#include "main/config.h"

#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char path[64];
    struct config c;
    struct diag d;
    if (!path[0]) snprintf(path, sizeof(path), "/tmp/sluice-fuzz-%d.yaml", (int)getpid());
    FILE *f = fopen(path, "w");
    if (!f) abort();
    fwrite(bytes, 1, size, f);
    fclose(f);
    if (config_init(&c, &d)) abort();
    (void)!config_load(&c, path, &d);
    config_done(&c);
    unlink(path);
    return 0;
}
