#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

/* How many descriptors this process has open; comparable with earlier and later counts. */
int count_descriptors(void);

#endif
