/* The port managers that are known to speak protocol 1 alone. */

#include "pa_elders.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

struct elder {
    int64_t until_s;
    int port; /* 0: a free place */
    char host[PA_ELDERS_HOST_BYTES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct elder elders[PA_ELDERS_MAX]; /* under the lock */

static bool is_elder(const struct elder *elder, const char *host, int port)
{
    return elder->port == port && strcmp(elder->host, host) == 0;
}

/* The place of that manager, or the one to give up: the free or oldest. */
static struct elder *place_for(const char *host, int port)
{
    struct elder *place = elders;
    for (struct elder *elder = elders; elder < elders + PA_ELDERS_MAX; ++elder) {
        if (is_elder(elder, host, port))
            return elder;
        if (place->port != 0 && (elder->port == 0 || elder->until_s < place->until_s))
            place = elder;
    }
    return place;
}

void pa_elders_add(const char *host, int port, int64_t now_s)
{
    size_t size = strlen(host) + 1;
    if (size > PA_ELDERS_HOST_BYTES)
        return;
    pthread_mutex_lock(&lock);
    struct elder *elder = place_for(host, port);
    elder->until_s = now_s + PA_ELDERS_S;
    elder->port = port;
    memcpy(elder->host, host, size);
    pthread_mutex_unlock(&lock);
}

bool pa_elders_has(const char *host, int port, int64_t now_s)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (const struct elder *elder = elders; elder < elders + PA_ELDERS_MAX; ++elder)
        found |= is_elder(elder, host, port) && now_s < elder->until_s;
    pthread_mutex_unlock(&lock);
    return found;
}
