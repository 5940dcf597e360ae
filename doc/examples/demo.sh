#!/bin/sh
# Runs the examples of the manual against a private manager, and stops it again.
# Usage: sh demo.sh BUILD-FOLDER
set -eu
build=$1
examples=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d "${TMPDIR:-/tmp}/portAllocator-demo.XXXXXX")
manager=
server=

cleanup() {
    for pid in $server $manager; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$place"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

bold=''
plain=''
if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

say() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# Waits until a file has a line in it; gives up when the process is gone.
wait_for_line() {
    until [ -s "$1" ]; do
        kill -0 "$2" 2>/dev/null || { echo "demo.sh: it ended too early" >&2; exit 1; }
        sleep 0.05
    done
}

say "A private manager on a free port, its files in $place:"
"$build/DaqPortManager" -listen 0 -ports 30001-31000 -log "$place/log" \
    -usagefile "$place/ports.txt" -portfile "$place/listen.port" -pidfile "$place/pid" \
    -socket "$place/socket" &
manager=$!
wait_for_line "$place/listen.port" "$manager"
port=$(head -n 1 "$place/listen.port") # the socket's path follows
DAQPORTMGR_PORTFILE=$place/listen.port
TCLLIBPATH=$build
export DAQPORTMGR_PORTFILE TCLLIBPATH

say "Example 1 of the manual: a server gets a port and listens on it."
grep -v '^#' "$examples/allocate.tcl"
{
    cat "$examples/allocate.tcl"
    # What any server goes on with: it says where it is, and serves.
    # shellcheck disable=SC2016 # Tcl's own $
    echo 'puts "listening on port $port"; flush stdout; vwait forever'
} >"$place/server.tcl"
tclsh "$place/server.tcl" >"$place/server.out" &
server=$!
wait_for_line "$place/server.out" "$server"
cat "$place/server.out"

say "Example 2 of the manual: who has which port."
grep -v '^#' "$examples/list.tcl"
tclsh "$examples/list.tcl"

say "The same with lsservices:"
"$build/lsservices" -port "$port"
"$build/lsservices" -json -port "$port"

say "The server ends, and its port is free again:"
kill "$server"
wait "$server" 2>/dev/null || true
server=
until [ "$("$build/lsservices" -json -port "$port" | tr -d ' \n')" = "[]" ]; do
    sleep 0.05
done
"$build/lsservices" -port "$port"

say "The manager's log:"
cat "$place/log"
