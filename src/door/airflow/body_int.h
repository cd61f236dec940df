/* body_int: the functions that bodies.def names. */
#pragma once
#include "door/airflow/airflow_int.h"

#define BODY(name)
#define COL(where, name, column)
#define RAW(where, name, json)
#define CALC(where, name, fn) void fn(struct buf *out, struct item *i);
#include "door/airflow/bodies.def"
#undef BODY
#undef COL
#undef RAW
#undef CALC
void rest_put_bool(struct buf *out, bool yes);
