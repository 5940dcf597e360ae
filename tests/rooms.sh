#!/bin/sh
# The direction of the dependencies: which headers may be included where, and
# how large files and functions may grow. Usage: sh rooms.sh SOURCE-FOLDER
set -u
cd "$1" || exit 1
passed=0
failed=0

# rule WHAT OFFENDERS: the list of offenders must be empty.
rule() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s:\n%s\n' "$1" "$2"
    fi
}

# includes HEADER FOLDER...: the files there that include it.
includes() {
    header=$1
    shift
    grep -rlE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]${header}[>\"]" "$@"
}

rule "uv.h belongs to conn, conn_send, conns, identify, waiters, tenants, portserver, server, requests and portreserve" \
    "$(includes 'uv\.h' generic unix daemon ports tools |
        grep -vE '^daemon/(conn|conn_send|conns|identify|waiters|tenants|portserver|server|requests|portreserve)\.[ch]$')"
rule "tcl.h belongs to pa_tcl_compat.h and ports_tcl.h" \
    "$(includes 'tcl\.h' generic unix daemon ports tools |
        grep -vE '^(generic/pa_tcl_compat|ports/ports_tcl)\.h$')"
rule "ports_tcl*.h belong to ports_tcl*" \
    "$(includes 'ports_tcl[a-z_]*\.h' generic unix daemon ports tools |
        grep -v '^ports/ports_tcl')"
rule "pa_tcl_compat.h belongs to pa_tcl_* and pa_wire.c" \
    "$(includes 'pa_tcl_compat\.h' generic unix daemon tools |
        grep -vE '^generic/(pa_tcl_[a-z0-9_]*\.[ch]|pa_wire\.c)$')"
rule "no socket header in generic/" \
    "$(includes '(sys/socket|netinet/[a-z]*|arpa/inet|netdb|sys/un)\.h' generic)"
rule "no socket header in the table and the session" \
    "$(includes '(sys/socket|netinet/[a-z]*|arpa/inet|netdb|sys/un)\.h' daemon |
        grep -E '/(table|table_index|slots|suffix|roster|changes|interests|watchers|pattern|search|session|grant|refuse|find|watch|quota|names|journal|usage|spec|keeper|pid_line)\.')"
rule "generic/ depends on nothing of unix/ and daemon/, but for the Tcl face" \
    "$(for header in unix/*.h daemon/*.h; do
        includes "$(basename "$header" | sed 's/\./\\./')" generic
    done | grep -v '^generic/pa_tcl_')"
rule "unix/ depends on nothing of daemon/" \
    "$(for header in daemon/*.h; do
        includes "$(basename "$header" | sed 's/\./\\./')" unix tools
    done)"
rule "ports/ depends on nothing of generic/, unix/ and daemon/" \
    "$(for header in generic/*.h unix/*.h daemon/*.h; do
        includes "$(basename "$header" | sed 's/\./\\./')" ports
    done)"
rule "outside ports/ there is <sys/ports.h> alone" \
    "$(for header in ports/*.h; do
        includes "$(basename "$header" | sed 's/\./\\./')" generic unix daemon tools doc
    done)"
rule "no system call in the queue of Ports IPC" \
    "$(includes '(unistd|fcntl|pthread|linux/[a-z]*|sys/(mman|stat|syscall|file))\.h' ports |
        grep -E '/ring\.')"
rule "base names are unique, for objects share a folder" \
    "$(find generic unix daemon ports tools -name '*.c' -exec basename {} \; | sort | uniq -d)"
rule "files are at most 600 lines" \
    "$(find generic unix daemon ports tools doc -name '*.[ch]' -exec wc -l {} + \
        -o -name '*.tcl' -exec wc -l {} + |
        awk '$2 != "total" && $1 > 600 {print $2 ": " $1}')"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
