#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

/*
 * What portctl doctor has found, and the checks that find it.
 */

#include "ctl.h"
#include "report.h"
#include "pa_portfile.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ctl_health {
    CTL_OK,
    CTL_NOTE,  /* nothing is wrong, but something is not known or could be better */
    CTL_FAULT, /* something is wrong */
};

struct ctl_doctor {
    struct ctl *ctl;
    struct report report;
    bool faulty;
    struct pa_portfile portfile; /* as clients read it */
    bool reached;                /* the manager; what follows is empty otherwise */
    bool told;                   /* it has told `stats` */
    struct pa_stats stats;
    struct pa_listing listing;
    uint16_t tried;               /* a port that the manager gave for a try; 0: none */
    bool managed[UINT16_MAX + 1]; /* by port; as far as that is known */
    size_t managed_count;
};

/*
 * Adds a finding of a check: what was found, in printf's way, and what to do about
 * it, or NULL.
 */
void ctl_doctor_say(struct ctl_doctor *doctor, enum ctl_health health, const char *check,
                    const char *advice, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Finds out which ports the manager has: what it tells, else those seen so far. */
void ctl_doctor_learn_ports(struct ctl_doctor *doctor);

/* The ports of the manager against those that the kernel gives away. */
void ctl_doctor_range(struct ctl_doctor *doctor);

/* The ports of the manager against the sockets that are on them. */
void ctl_doctor_strangers(struct ctl_doctor *doctor);

/* The manager's open files against its limit. */
void ctl_doctor_descriptors(struct ctl_doctor *doctor);

#endif
