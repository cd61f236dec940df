/* rest: the part of a server that Airflow's clients see: the door of its REST API, over the
 * project's workflows. Mounted in the console's listeners; made from the settings airflow.*;
 * answers from the database also while no dags run.
 */
#pragma once
#include "door/airflow/airflow.h"
#include "door/console/console.h"
#include "main/project.h"

#include <stdatomic.h>

struct sched;
struct rest {
    struct project *project;
    struct console *front;         /* whose sessions count here too; set when that is open */
    struct airflow_door *door;     /* NULL: there is no console to be mounted in */
    _Atomic(struct sched *) sched; /* NULL: no dags so far */
};
MUST_CHECK err_t rest_open(struct project *p, struct users *users, struct loop *l, struct rest *r,
                           struct diag *d);
/* The engine that runs now; it stays until rest_close. */
void rest_serves(struct rest *r, struct sched *s);
void rest_close(struct rest *r); /* before the engine */
/* Another connection to the workflows' database. Any thread. */
MUST_CHECK err_t rest_meta(const struct rest *r, struct meta **out, struct diag *d);
/* Its dags, held. Any thread. */
uint32_t rest_dags(struct rest *r, const struct dag **out, uint32_t max);
