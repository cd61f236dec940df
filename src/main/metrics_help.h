/* metrics_help: every name of /metrics, for `sluice help metrics` and docs/metrics.md. */
#pragma once
#include "base/bytes.h"

void metrics_help(struct buf *out);
