/* sluice.yaml from a file of any content. */
#include "fuzz.h"
#include "main/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct config c;
    struct diag d;
    if (config_init(&c, &d)) abort();
    (void)!config_load(&c, fuzz_file("", 0, bytes, size), &d);
    config_done(&c);
    return 0;
}
