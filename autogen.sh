#!/bin/sh
# Puts TEA's tcl.m4 and install-sh into tclconfig/ and makes configure.
# Both come from Debian's package critcl; neither is kept in the repository.
set -eu
cd "$(dirname "$0")"

tea=
for folder in /usr/share/tcltk/critcl-app*/tea/tclconfig; do
    if [ -f "$folder/tcl.m4" ]; then
        tea=$folder
    fi
done
if [ -z "$tea" ]; then
    echo "autogen.sh: tcl.m4 is missing (Debian: apt-get install critcl)" >&2
    exit 1
fi
if ! command -v autoconf >/dev/null; then
    echo "autogen.sh: autoconf is missing (Debian: apt-get install autoconf)" >&2
    exit 1
fi
mkdir -p tclconfig
cp "$tea/tcl.m4" "$tea/install-sh" tclconfig/
chmod +x tclconfig/install-sh
# tcl.m4 is older than the names that autoconf now prefers.
autoconf -W no-obsolete
