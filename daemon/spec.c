/* spec.c - the syntax of /etc/portreserve: NAME|NUMBER[/tcp|/udp]. */
#include "spec.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks off both ends. */
static void trim(const char **line, size_t *size)
{
    while (*size > 0 && is_blank((*line)[*size - 1]))
        --*size;
    while (*size > 0 && is_blank(**line)) {
        ++*line;
        --*size;
    }
}

static void add_port(struct spec *spec, uint16_t port, enum transport transport)
{
    spec->ports[spec->count++] = (struct spec_port){port, transport};
}

/* Takes /tcp or /udp off the end of the word; `wanted` tells which of the two it asks for. */
static bool take_transport(char *word, bool wanted[TRANSPORTS])
{
    char *slash = strchr(word, '/');
    wanted[TRANSPORT_TCP] = wanted[TRANSPORT_UDP] = true;
    if (!slash)
        return true;
    *slash = '\0';
    wanted[TRANSPORT_TCP] = strcmp(slash + 1, transport_name(TRANSPORT_TCP)) == 0;
    wanted[TRANSPORT_UDP] = strcmp(slash + 1, transport_name(TRANSPORT_UDP)) == 0;
    return wanted[TRANSPORT_TCP] || wanted[TRANSPORT_UDP];
}

/* The number that the word is; 0: none of a port. */
static uint16_t number(const char *word)
{
    unsigned value = 0;
    for (; *word; ++word) {
        value = value * 10 + (unsigned)(*word - '0');
        if (value > UINT16_MAX)
            return 0;
    }
    return (uint16_t)value;
}

/*
 * /etc/services no longer lists a service under a protocol that nobody uses with
 * it, but IANA gave the number for both.
 */
static uint16_t service(const char *name, enum transport transport, spec_lookup *lookup,
                        void *context)
{
    uint16_t port = lookup(context, name, transport);
    if (port == 0)
        port =
            lookup(context, name, transport == TRANSPORT_TCP ? TRANSPORT_UDP : TRANSPORT_TCP);
    return port;
}

static int parse_word(char *word, spec_lookup *lookup, void *context, struct spec *spec,
                      char *error, size_t error_size)
{
    bool wanted[TRANSPORTS];
    const char *behind = word + strlen(word);
    if (!take_transport(word, wanted)) {
        const char *transport = word + strlen(word) + 1;
        if (transport == behind)
            snprintf(error, error_size, "\"%s/\" lacks tcp or udp behind the slash", word);
        else
            snprintf(error, error_size, "\"%.*s\" is neither tcp nor udp",
                     (int)(behind - transport), transport);
        return SPEC_E_WRONG;
    }
    if (*word == '\0') {
        snprintf(error, error_size, "\"/%s\" lacks a service before the slash", word + 1);
        return SPEC_E_WRONG;
    }
    bool is_number = word[strspn(word, "0123456789")] == '\0';
    for (int i = 0; i < TRANSPORTS; ++i) {
        enum transport transport = (enum transport)i;
        uint16_t port = 0;
        if (wanted[i] && is_number)
            port = number(word);
        else if (wanted[i])
            port = service(word, transport, lookup, context);
        if (port != 0)
            add_port(spec, port, transport);
    }
    if (spec->count > 0)
        return 0;
    snprintf(error, error_size, "%s \"%s\"%s", is_number ? "port" : "unknown service", word,
             is_number ? " is none of 1 to 65535" : "");
    return SPEC_E_WRONG;
}

int spec_parse(const char *line, size_t size, spec_lookup *lookup, void *context,
               struct spec *spec, char *error, size_t error_size)
{
    char word[SPEC_LINE_MAX_BYTES + 1];
    *spec = (struct spec){.count = 0};
    trim(&line, &size);
    if (size == 0 || *line == '#')
        return 0;
    if (size > SPEC_LINE_MAX_BYTES) {
        snprintf(error, error_size, "\"%.40s...\" is too long (%zu bytes, %d at most)", line,
                 size, SPEC_LINE_MAX_BYTES);
        return SPEC_E_WRONG;
    }
    memcpy(word, line, size);
    word[size] = '\0';
    if (memchr(word, '\0', size)) {
        snprintf(error, error_size, "a byte of value 0 behind \"%s\"", word);
        return SPEC_E_WRONG;
    }
    if (strpbrk(word, " \t")) {
        snprintf(error, error_size, "\"%s\" is more than one word", word);
        return SPEC_E_WRONG;
    }
    return parse_word(word, lookup, context, spec, error, error_size);
}
