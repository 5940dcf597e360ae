#include "manager_fixture.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptors.h"

struct fake_manager manager;
char host[64];

static int hosts; /* used */
static int descriptors_before;

int manager_fixture_begin(unsigned net)
{
    descriptors_before = count_descriptors();
    memset(&manager, 0, sizeof manager);
    snprintf(host, sizeof host, "127.0.%u.%d", net, ++hosts);
    return setenv("DAQPORTMGR_PORTFILE", "/nonexistent/listen.port", 1);
}

int manager_fixture_end(void)
{
    return count_descriptors() == descriptors_before ? 0 : -1;
}

void manager_fixture_start(fake_answer *answer)
{
    manager.answer = answer;
    manager.address = host;
    assert_true(fake_manager_start(&manager));
}

const char *manager_answer(struct fake_manager *m, const char *line,
                           const struct manager_manner *manners, size_t count)
{
    snprintf(m->reply, sizeof m->reply, "%s\r", line);
    for (size_t i = 0; i < count; ++i)
        if (begins(m->reply, manners[i].request))
            return manners[i].reply;
    return "FAIL SYNTAX {unexpected}\r\n";
}

const char *silent_manager(struct fake_manager *m, const char *line)
{
    (void)m;
    (void)line;
    return NULL;
}

bool begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}
